"""Which code of the contract a refusal of Chatwoot is, by status and by how its text begins."""

from __future__ import annotations

from typing import Final

from chatwoot_tools.failures.codes import Code
from recorded.recordings import Exchange

CODES: Final[tuple[tuple[int, str, Code], ...]] = (
    (401, "You need to sign in or sign up before continuing.", "token_missing"),
    (401, "Invalid Access Token", "token_invalid"),
    (401, "You are not authorized to access this account", "not_a_member"),
    (401, "You are not authorized to do this action", "forbidden"),
    (401, "Account is suspended", "account_suspended"),
    (401, "Bot is not authorized to access this account", "bot_not_allowed"),
    (401, "Access to this endpoint is not authorized for bots", "bot_not_allowed"),
    (404, "Resource could not be found", "not_found"),
    (400, "Bad Request", "rejected"),
    (422, "Validation failed: Too many messages", "rate_limited"),
    (422, "", "rejected"),
    (500, "", "chatwoot_error"),
)
CODES_OF_A_CREATE: Final[tuple[tuple[int, str, Code], ...]] = (
    (422, "source_id should be unique", "source_id_taken"),
    (422, "Source invalid source id for", "source_id_invalid"),
    (422, "Source is too long", "source_id_invalid"),
    (422, "param is missing or the value is empty: contact email", "contact_detail_missing"),
    (422, "param is missing or the value is empty: contact phone number", "contact_detail_missing"),
)
"""What ``create_conversation`` says of these, with more words than the rest."""


def code_of(exchange: Exchange, *, creating: bool) -> Code:
    text = text_of(exchange)
    for status, beginning, code in (*(CODES_OF_A_CREATE if creating else ()), *CODES):
        if exchange.status == status and text.startswith(beginning):
            return code
    raise AssertionError(f"no row for {exchange.status} {text}")


def text_of(exchange: Exchange) -> str:
    """Chatwoot's text of an error, in any of its shapes."""
    match exchange.answer:
        case {"error": str(text)} | {"message": str(text)} | {"errors": [str(text), *_]}:
            return text
        case _:
            return ""
