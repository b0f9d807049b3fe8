"""From an error of the client to the error a model reads."""

from __future__ import annotations

import math
import re
from typing import Final

from aiochatwoot import errors
from aiochatwoot.errors import ChatwootError
from chatwoot_tools.failures.codes import Code, ToolFailure
from chatwoot_tools.text import upstream_text

_UNAUTHORIZED: dict[type[ChatwootError], tuple[Code, str]] = {
    errors.TokenMissing: (
        "token_missing",
        "Chatwoot saw no token: a proxy in front of it drops the api-access-token header. The operator has to "
        "let it through.",
    ),
    errors.TokenInvalid: (
        "token_invalid",
        "Chatwoot does not know the token. The operator has to set CHATWOOT_API_TOKEN to one from the profile page.",
    ),
    errors.BotEndpointClosed: (
        "bot_not_allowed",
        "The token belongs to an agent bot, and Chatwoot does not allow bots here. A person's token is needed.",
    ),
    errors.BotNotOfAccount: (
        "bot_not_allowed",
        "The token belongs to an agent bot that is not of this account. Connect it to an inbox there, or use "
        "another account_id.",
    ),
    errors.NotAMember: (
        "not_a_member",
        "The token's owner is not a member of this account. Use another account_id, or have an administrator add them.",
    ),
    errors.AccountSuspended: ("account_suspended", "Chatwoot has suspended this account. Use another account_id."),
    errors.Forbidden: (
        "forbidden",
        "The token's owner may not do this: as an agent, only inboxes they are a member of. Use another inbox, "
        "or have an administrator add them.",
    ),
}

_FOR_PEOPLE: Final = re.compile(
    r"""Validation\ failed:\ .+
    | param\ is\ missing\ or\ the\ value\ is\ empty.*:\ [\w\ ]+
    | (Email|File|Name)\ is\ (required|blank)
    | No\ file\ or\ URL\ provided
    | contact\ (email|phone\ number)\ required
    | source_id\ should\ be\ unique
    | '\w*'\ is\ not\ a\ valid\ \w+
    | Invalid\ (current\ password|email\ address|URL\ provided)
    | Invalid\ attribute\ key\ -\ \[[^]]*\]\.\ The\ key\ should\ be\ one\ of\ \[[\w,]*\]\ or\ .+
    | Invalid\ operator\.\ The\ allowed\ operators\ for\ .{,255}\ are\ \[[\w,]*\]\.
    | Invalid\ value\.\ The\ values\ provided\ for\ .{,255}\ are\ invalid
    | Query\ operator\ must\ be\ either\ "AND"\ or\ "OR"\.
    | Incoming\ messages\ are\ only\ allowed\ in\ Api\ inboxes
    | Template\ sync\ is\ only\ available\ for\ WhatsApp\ channels
    | Unsupported\ operation\ for\ this\ channel:\ [\w:]+
    | invalid\ group_by
    | Bad\ Request""",
    re.VERBOSE,
)
"""What Chatwoot (3.16 to 4.15) says of its own accord with a 4xx that names no fields. Anything else there may be what
went wrong inside it, in the words of Ruby, of PostgreSQL (with a whole row of data) or of a provider."""


def explain(failure: ChatwootError, *, writing: bool = False) -> ToolFailure:
    """The failure to show for a client error. ``writing``: the request that failed was the write itself."""
    done = "Nothing was written." if writing and failure.effect is errors.Effect.NONE else ""
    told = _told(failure)
    told.text = f"{told.text} {done}".strip()
    told.http_status = failure.http_status
    return told


def _told(failure: ChatwootError) -> ToolFailure:
    match failure:
        case errors.Unreachable():
            return _unreachable(failure)
        case errors.DeadlineExceeded(effect=errors.Effect.NONE):
            return ToolFailure(
                "deadline_exceeded", "No time was left to ask Chatwoot. Try again later.", retryable=True
            )
        case errors.DeadlineExceeded():
            return ToolFailure("deadline_exceeded", "Chatwoot did not answer in time. Try again later.", retryable=True)
        case errors.TimedOut() | errors.ConnectionLost():
            return ToolFailure("chatwoot_error", "Chatwoot's answer was cut off. Try again later.", retryable=True)
        case errors.ResponseTooLarge():
            return ToolFailure("response_too_large", "Chatwoot's answer is larger than 8 MiB and was not read.")
        case errors.UnexpectedResponse():
            text = (
                "Chatwoot's answer is not one of its API. The operator should check CHATWOOT_BASE_URL with "
                "`chatwoot-mcp doctor`."
            )
            return ToolFailure("unexpected_response", text)
        case errors.Redirected(host=host):
            where = upstream_text(host) if host else "another address"
            text = (
                f"Chatwoot redirects to {where}, which is not followed. The operator has to set CHATWOOT_BASE_URL "
                "to the final address."
            )
            return ToolFailure("redirected", text)
        case errors.RateLimited(retry_after_s=wait):
            return _rate_limited(wait)
        case errors.ServerError(http_status=status):
            return ToolFailure("chatwoot_error", f"Chatwoot answered {status}. Try again later.", retryable=True)
        case _:
            return _refused(failure)


def _unreachable(failure: errors.Unreachable) -> ToolFailure:
    if isinstance(failure, errors.Withdrawn):
        text = "The call was cancelled, and wrote nothing more. Call again to do the rest."
        return ToolFailure("cancelled", text, retryable=True)
    if not isinstance(failure, errors.CircuitOpen):
        text = (
            "Chatwoot cannot be reached, and the request was not sent. Try again later; the operator can run "
            "`chatwoot-mcp doctor`."
        )
        return ToolFailure("unreachable", text, retryable=True)
    seconds = float(math.ceil(failure.retry_after_s))
    text = (
        f"Chatwoot is down: several requests in a row failed, so this one was not sent. Try again in {seconds:.0f} "
        "seconds; this server then asks Chatwoot again by itself."
    )
    return ToolFailure("unreachable", text, retryable=True, retry_after_s=seconds)


def _rate_limited(wait: float | None) -> ToolFailure:
    seconds = None if wait is None else float(math.ceil(wait))
    when = "in a minute" if seconds is None else f"in {seconds:.0f} seconds"
    text = f"No more requests can be sent to Chatwoot for now. Try again {when}."
    return ToolFailure("rate_limited", text, retryable=True, retry_after_s=seconds)


def _refused(failure: ChatwootError) -> ToolFailure:
    if type(failure) in _UNAUTHORIZED:
        return ToolFailure(*_UNAUTHORIZED[type(failure)])
    words = _words(failure)
    match failure:
        case errors.NotFound():
            return ToolFailure("not_found", "Chatwoot found no such account or record. Check the ids.")
        case errors.PlanLimit():
            return ToolFailure("plan_limit", f"A limit of the account's plan is reached{words}.")
        case errors.Unauthorized():
            return ToolFailure("forbidden", f"Chatwoot refused the token{words}.")
        case errors.Rejected(attributes=attributes):
            # Rails calls what concerns no single field "base".
            field = next((name for name in attributes if name != "base"), None)
            return ToolFailure("rejected", f"Chatwoot rejected the request{words}.", field=field)
        case _:
            return ToolFailure("rejected", f"Chatwoot refused the request{words}.")


def _words(failure: ChatwootError) -> str:
    """Chatwoot's own, where it wrote them for people; of others what they are about."""
    text = failure.detail
    if not text:
        return ""
    validated = isinstance(failure, errors.Rejected) and failure.attributes
    # No exception inside Chatwoot ends in another status than 422.
    if validated or failure.http_status in (401, 402, 403) or _FOR_PEOPLE.fullmatch(text):
        return f": {upstream_text(text)}"
    if text.startswith(("PG::", "ActiveRecord::")):
        return ": its database rejects what was sent"
    return " with an internal error, which is not shown"
