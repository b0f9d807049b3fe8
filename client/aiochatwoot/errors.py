"""Everything that can go wrong between us and Chatwoot, as one tree.

One class for each thing a caller does differently. Chatwoot answers every permission problem with 401, so the
text decides which it was; the texts are those of Chatwoot v4.15.1.
"""

from __future__ import annotations

from enum import Enum
from typing import Any


class Effect(Enum):
    """What a failed request may have done at Chatwoot: what a caller needs to know before writing again."""

    NONE = "none"
    """Surely nothing of what was asked for: it was not sent, or it was refused."""
    ENDED = "ended"
    """Perhaps something, but Chatwoot is done with it: a whole error answer came back."""
    CUT = "cut"
    """Perhaps something: the connection was lost, or the answer cannot be read."""
    RUNNING = "running"
    """Perhaps something, perhaps still at work: we stopped waiting, or a proxy did."""


class ChatwootError(Exception):
    """Base of the tree.

    ``detail`` is Chatwoot's own text where it wrote one (not cleaned, not capped), ``http_status`` the status of
    the answer where there was one. No instance ever holds the token, a query string or a body that was sent.
    """

    effect = Effect.NONE

    def __init__(
        self, message: str, *, http_status: int | None = None, detail: str | None = None, effect: Effect | None = None
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.detail = detail
        if effect is not None:
            self.effect = effect


class Unreachable(ChatwootError):
    """Surely not sent: refused, DNS, TLS, connect or pool timeout."""


class CircuitOpen(Unreachable):
    """Not sent: Chatwoot has been down for a while. In ``retry_after_s`` seconds a request is let through again."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Chatwoot is down")
        self.retry_after_s = retry_after_s


class Withdrawn(Unreachable):
    """Not sent: the call that wanted to write was cancelled before."""


class ConnectionLost(ChatwootError):
    """The request went out; the connection broke before a whole answer came back."""

    effect = Effect.CUT


class TimedOut(ChatwootError):
    """The request went out; no whole answer came within the time for one request."""

    effect = Effect.RUNNING


class DeadlineExceeded(TimedOut):
    """The time of the whole call is used up."""


class ResponseTooLarge(ChatwootError):
    """The decoded answer is larger than the cap."""

    effect = Effect.CUT


class UnexpectedResponse(ChatwootError):
    """A 2xx answer that is not JSON, or not of the expected shape."""

    effect = Effect.CUT


class Redirected(ChatwootError):
    """A 3xx answer. It is never followed, as the token would travel along; ``host`` says where it pointed."""

    def __init__(self, host: str | None, http_status: int) -> None:
        super().__init__(f"redirected to {host or 'another address'}", http_status=http_status)
        self.host = host


class RateLimited(ChatwootError):
    """429, or what would become one (then without a status). Chatwoot's throttle runs before the application, so the
    request had no effect."""

    def __init__(self, retry_after_s: float | None, http_status: int | None = 429) -> None:
        super().__init__("too many requests", http_status=http_status)
        self.retry_after_s = retry_after_s


class ServerError(ChatwootError):
    """5xx. A write may have been carried out all the same; behind a 504 it may still be going on."""

    effect = Effect.ENDED

    def __init__(self, http_status: int) -> None:
        effect = Effect.RUNNING if http_status == 504 else Effect.ENDED
        super().__init__(f"answered {http_status}", http_status=http_status, effect=effect)


class ClientError(ChatwootError):
    """Any other 4xx: Chatwoot refused, and did nothing of what was asked for. A contact's identity in an inbox that it
    made first for a new conversation stays all the same (v4.15.1 makes it outside the transaction)."""


class NotFound(ClientError):
    """404. Chatwoot never says which of the ids in a request it means."""


class PlanLimit(ClientError):
    """402: a limit of the account's plan."""


class Rejected(ClientError):
    """422, a failed validation, and every 4xx that has no class of its own. ``detail`` is Chatwoot's text and
    ``attributes`` are the names of its fields, as far as it gave any."""

    def __init__(self, detail: str | None, attributes: tuple[str, ...], http_status: int) -> None:
        super().__init__("rejected", http_status=http_status, detail=detail)
        self.attributes = attributes

    def is_of_key(self, key: str) -> bool:
        """Whether a filter was refused as this Chatwoot does not filter by that key. Its words are in any language."""
        return f"[{key}]" in (self.detail or "")


class Unauthorized(ClientError):
    """401 with a text that is none of the known ones."""


class TokenMissing(Unauthorized):
    """No token reached Chatwoot: a proxy dropped the header."""


class TokenInvalid(Unauthorized):
    """The token is of nobody."""


class BotEndpointClosed(Unauthorized):
    """The token is of an agent bot or a platform app, and the endpoint is for people."""


class BotNotOfAccount(Unauthorized):
    """The agent bot neither belongs to the account nor is attached to one of its inboxes."""


class NotAMember(Unauthorized):
    """The person is not a member of the account."""


class AccountSuspended(Unauthorized):
    """The account is suspended."""


class Forbidden(Unauthorized):
    """The person's role, or inboxes, do not allow it."""


_UNAUTHORIZED: dict[str, type[Unauthorized]] = {
    "You need to sign in or sign up before continuing.": TokenMissing,
    "Invalid Access Token": TokenInvalid,
    "Access to this endpoint is not authorized for bots": BotEndpointClosed,
    "Bot is not authorized to access this account": BotNotOfAccount,
    "You are not authorized to access this account": NotAMember,
    "Account is suspended": AccountSuspended,
    "You are not authorized to do this action": Forbidden,
}


def from_answer(status: int, body: Any, *, location_host: str | None, retry_after_s: float | None) -> ChatwootError:
    """The error for an answer that is not 2xx. ``body`` is the decoded JSON, or None where there was none."""
    if 300 <= status < 400:
        return Redirected(location_host, status)
    if status >= 500:
        return ServerError(status)
    if status == 429:
        return RateLimited(retry_after_s)
    detail = detail_of(body)
    if status == 401:
        return _UNAUTHORIZED.get(detail or "", Unauthorized)("unauthorized", http_status=status, detail=detail)
    if status == 403:
        return Forbidden("forbidden", http_status=status, detail=detail)
    if status == 404:
        return NotFound("not found", http_status=status, detail=detail)
    if status == 402:
        return PlanLimit("plan limit", http_status=status, detail=detail)
    if "Too many messages" in (detail or ""):
        return RateLimited(60.0, status)  # the flood guard: 200 messages in one conversation within a minute
    return Rejected(detail, _attributes_of(body), status)


def detail_of(body: Any) -> str | None:
    """Chatwoot's text in any of its error shapes: ``error``, ``errors``, ``message``, ``{status, error}``."""
    match body:
        case {"error": str(text)} | {"message": str(text)}:
            return text
        case {"errors": [*texts]}:
            return ", ".join(str(text) for text in texts) or None
        case _:
            return None


def _attributes_of(body: Any) -> tuple[str, ...]:
    match body:
        case {"attributes": [*names]}:
            return tuple(str(name) for name in names)
        case _:
            return ()
