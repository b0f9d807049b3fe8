"""Who is calling, and with which credential and policy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final

from starlette.datastructures import Headers

from chatwoot_mcp.settings import Settings
from chatwoot_mcp.web.grants import KEY_PREFIX, Grant, GrantsError, GrantsFile
from chatwoot_mcp.web.oauth import READ, WRITE, Issuer, TokenRefused
from chatwoot_tools import Policy
from chatwoot_tools.registry import TOOLS

OWN_TOKEN: Final = "x-chatwoot-token"  # noqa: S105 - a header's name
"""Where a caller may bring its own Chatwoot token, if the settings allow."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls: everything is kept apart by this value. ``name`` is None where there is only one caller."""

    name: str | None
    token: str = field(repr=False)
    policy: Policy = field(default_factory=Policy)
    toolsets: frozenset[str] = frozenset()

    @property
    def scope(self) -> str:
        return self.name or ""


class Refused(Exception):
    """An HTTP status, and for 401 and 403 the error code of RFC 6750, None where nothing was presented.

    ``why`` is for the operator, where that is more than the text that the caller reads; ``kind`` is under what it is
    counted, where the status does not tell.
    """

    def __init__(
        self, status: int, text: str, error: str | None = None, *, why: str | None = None, kind: str | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.error = error
        self.why = why or text
        self.kind = kind


class Callers:
    """Tells callers by what the settings have switched on, which may be several ways at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._policy = settings.policy()
        self._grants = GrantsFile(settings.callers_file) if settings.callers_file else None
        self.issuer = _issuer(settings)

    @property
    def is_open(self) -> bool:
        """Whether nobody has to say who they are."""
        return not self._settings.authenticates

    @property
    def trouble(self) -> str | None:
        """Why those who have a key, or are in the file, are all refused; None where they are not."""
        try:
            if self._grants:
                self._grants.read()
        except GrantsError as error:
            return str(error)
        return None

    async def identify(self, headers: Headers) -> Caller:
        """Raises Refused."""
        own = headers.get(OWN_TOKEN)
        if own and not self._settings.caller_tokens:
            raise Refused(403, f"{OWN_TOKEN} is not accepted here", "insufficient_scope")
        bearer = _bearer(headers)
        if bearer is not None:
            return await self._by_bearer(bearer, own)
        if own:
            name = f"token-{hashlib.sha256(own.encode()).hexdigest()[:12]}"
            return Caller(name, own, self._policy, self._settings.toolsets)
        if self.is_open:
            return Caller(None, self._settings.api_token.get_secret_value(), self._policy, self._settings.toolsets)
        raise Refused(401, "a bearer token is required")

    async def _by_bearer(self, bearer: str, own: str | None) -> Caller:
        try:
            if bearer.startswith(f"{KEY_PREFIX}_") and self._grants:
                grant: Grant | None = self._grants.grant_of_key(bearer)
            elif self.issuer is not None:
                grant = await self._by_oauth(self.issuer, bearer)
            else:
                grant = None
            if grant is None:
                raise Refused(401, "the bearer token is not known here", "invalid_token")
            token = own or grant.token() or self._settings.api_token.get_secret_value()
        except GrantsError as error:
            raise Refused(503, "the operator's files of callers cannot be read", why=str(error)) from None
        if not token:
            raise Refused(403, "no Chatwoot token is set up for this caller", "insufficient_scope")
        return Caller(
            grant.name, token, _narrowed(self._policy, grant), _common(self._settings.toolsets, grant.toolsets)
        )

    async def _by_oauth(self, issuer: Issuer, bearer: str) -> Grant:
        try:
            claims = await issuer.verify(bearer)
        except TokenRefused as refused:
            raise Refused(401, str(refused), "invalid_token") from None
        if not claims.scopes & {READ, WRITE}:
            raise Refused(403, f"the token needs the scope {READ} or {WRITE}", "insufficient_scope")
        grant = self._grants.grant_of_subject(claims.subject) if self._grants else None
        if grant is None:
            raise Refused(403, "nothing is set up for the token's subject", "insufficient_scope")
        who = f"{grant.name}:{hashlib.sha256(claims.subject.encode()).hexdigest()[:12]}"
        return grant.model_copy(update={"name": who, "read_only": grant.read_only or WRITE not in claims.scopes})


def _issuer(settings: Settings) -> Issuer | None:
    if not settings.oauth_issuer or not settings.public_url or not settings.oauth_jwks_url:
        return None
    return Issuer(settings.oauth_issuer, settings.public_url, settings.oauth_jwks_url, proxy=settings.proxy_url)


def _bearer(headers: Headers) -> str | None:
    given = headers.getlist("authorization")
    if not given:
        return None
    scheme, _, value = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not value.strip():
        raise Refused(401, "the Authorization header must be one bearer token", "invalid_request")
    return value.strip()


def _narrowed(policy: Policy, grant: Grant) -> Policy:
    """What both the settings and the grant allow."""
    accounts = _both(policy.allowed_accounts, grant.accounts)
    default = policy.default_account
    if accounts is not None and default not in accounts:
        default = min(accounts) if len(accounts) == 1 else None
    return replace(
        policy,
        read_only=policy.read_only or grant.read_only,
        allowed_accounts=accounts,
        allowed_inboxes=_both(policy.allowed_inboxes, grant.inboxes),
        default_account=default,
        attachments_dir=policy.attachments_dir if grant.attachments else None,
        narrows=policy,
        own_inboxes=grant.inboxes,
    )


def _both(one: frozenset[int] | None, other: frozenset[int] | None) -> frozenset[int] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _common(allowed: frozenset[str], wanted: frozenset[str] | None) -> frozenset[str]:
    """Toolsets and names of tools that both have; a tool's name is allowed where its toolset is."""
    if wanted is None:
        return allowed
    chosen = {tool.name for tool in TOOLS if {tool.name, tool.toolset} & allowed and {tool.name, tool.toolset} & wanted}
    return frozenset(chosen)
