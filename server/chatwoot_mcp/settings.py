"""The operator's settings: read from the environment once, into one model.

What settings forbid, no request can allow. A wrong value is named, never shown.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    DirectoryPath,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from aiochatwoot.loopback import is_loopback
from chatwoot_tools.call.context import Policy
from chatwoot_tools.registry import TOOLS, TOOLSETS

OURS: Final = "CHATWOOT_MCP_"
SANDBOX_TOKEN: Final = "sandbox-admin"  # noqa: S105 - the embedded Chatwoot's own, documented
HOW_CALLERS: Final = (
    "set CHATWOOT_MCP_CALLERS_FILE (chatwoot-mcp keys add NAME), "
    "CHATWOOT_MCP_OAUTH_ISSUER or CHATWOOT_MCP_CALLER_TOKENS"
)
"""The ways to let callers say who they are."""


class SettingsError(Exception):
    """Settings that cannot be used; the text says which, and what to do, for a person."""


def listed(value: object) -> object:
    """The parts of a comma list; of an empty one none, which allows nothing."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def known_toolsets(names: frozenset[str]) -> frozenset[str]:
    """Raises ValueError."""
    if names - TOOLSETS - {tool.name for tool in TOOLS}:
        sets, tools = ", ".join(sorted(TOOLSETS)), ", ".join(tool.name for tool in TOOLS)
        raise ValueError(f"has an unknown name; known are the toolset {sets} and the tools {tools}")
    return names


def _address(value: str) -> str:
    """An http(s) address without anything that could send the token elsewhere."""
    parts = urlsplit(value.strip().rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://app.chatwoot.com")
    if parts.username or parts.password or parts.query or parts.fragment or "\\" in value:
        raise ValueError("must be a plain address: no user name, query or fragment")
    return parts.geturl()


def _optional_address(value: str | None) -> str | None:
    return None if value is None else _address(value)


def _proxy(value: SecretStr | None) -> SecretStr | None:
    """Its user name and password may stand in it."""
    if value is None:
        return None
    parts = urlsplit(value.get_secret_value().strip())
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must be an address such as http://proxy.acme.test:3128")
    return SecretStr(parts.geturl())


def _resolved(value: Path | None) -> Path | None:
    return value.resolve() if value else None


Ids = Annotated[frozenset[Annotated[int, Field(ge=1)]] | None, BeforeValidator(listed)]


class Settings(BaseModel):
    """Each field is named after its variable, see ``VARIABLES``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: Annotated[str, AfterValidator(_address)]
    api_token: SecretStr = SecretStr("")
    account_id: Annotated[int | None, Field(ge=1)] = None
    toolsets: Annotated[frozenset[str], BeforeValidator(listed), AfterValidator(known_toolsets)] = frozenset({"core"})
    read_only: bool = False
    allowed_accounts: Ids = None
    allowed_inboxes: Ids = None
    deadline_s: Annotated[float, Field(ge=1, le=600)] = 45.0
    stamp: bool = True
    attachments_dir: Annotated[DirectoryPath | None, AfterValidator(_resolved)] = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    allow_http: bool = False
    proxy: Annotated[SecretStr | None, AfterValidator(_proxy)] = None

    # Of `chatwoot-mcp http` alone.
    callers_file: Path | None = None
    caller_tokens: bool = False
    oauth_issuer: str | None = None
    oauth_jwks_url: Annotated[str | None, AfterValidator(_optional_address)] = None
    public_url: Annotated[str | None, AfterValidator(_optional_address)] = None
    allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 2 * 1024 * 1024
    redis_url: SecretStr | None = None
    log_format: Literal["text", "json"] | None = None

    @property
    def proxy_url(self) -> str | None:
        return self.proxy.get_secret_value() if self.proxy else None

    @property
    def authenticates(self) -> bool:
        """Whether whoever calls over HTTP has to say who they are."""
        return bool(self.callers_file or self.caller_tokens or self.oauth_issuer)

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        parts = urlsplit(self.base_url)
        if parts.scheme == "http" and not self.allow_http and not is_loopback(parts.hostname):
            raise ValueError("CHATWOOT_BASE_URL: must begin with https://, or the token travels in the clear")
        if self.proxy and parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError(f"{OURS}PROXY: is for an https:// Chatwoot alone, or the proxy reads the token")
        return self

    @model_validator(mode="after")
    def _whole_oauth(self) -> Self:
        needed = {
            "oauth_jwks_url": self.oauth_jwks_url,
            "public_url": self.public_url,
            "callers_file": self.callers_file,
        }
        missing = [f"{OURS}{name.upper()}" for name, value in needed.items() if not value]
        if self.oauth_issuer and missing:
            raise ValueError(f"{OURS}OAUTH_ISSUER: also needs {', '.join(missing)}")
        keys = urlsplit(self.oauth_jwks_url or "")
        if keys.scheme == "http" and not is_loopback(keys.hostname):
            raise ValueError(f"{OURS}OAUTH_JWKS_URL: must begin with https://, or others can put their keys there")
        return self

    @model_validator(mode="after")
    def _closed_to_strangers(self) -> Self:
        """Whoever gives the server a name has others call it, maybe through a proxy, behind which all are loopback."""
        named = [name for name in ("allowed_hosts", "public_url") if getattr(self, name)]
        if named and not self.authenticates:
            raise ValueError(
                f"{VARIABLES[named[0]]}: lets others call, so they have to say who they are: {HOW_CALLERS}"
            )
        return self

    def policy(self) -> Policy:
        """What of it the tools obey."""
        return Policy(
            default_account=self.account_id,
            read_only=self.read_only,
            allowed_accounts=self.allowed_accounts,
            allowed_inboxes=self.allowed_inboxes,
            stamp=self.stamp,
            deadline_s=self.deadline_s,
            attachments_dir=self.attachments_dir,
        )


_CHATWOOTS: Final = {
    "base_url": "CHATWOOT_BASE_URL",
    "api_token": "CHATWOOT_API_TOKEN",
    "account_id": "CHATWOOT_ACCOUNT_ID",
}
TOKEN_FILE: Final = "CHATWOOT_API_TOKEN_FILE"  # noqa: S105 - a name, no token
VARIABLES: Final = {name: _CHATWOOTS.get(name, f"{OURS}{name.upper()}") for name in Settings.model_fields}
"""The environment variable of each field."""
_RESTRICTING: Final = {"toolsets", "read_only", "allowed_accounts", "allowed_inboxes"}
"""What is set here and empty is not left out: somebody meant to restrict something."""


def read_settings(environ: Mapping[str, str], *, needs_token: bool = True, **fixed: Any) -> Settings:
    """The settings of an environment; ``fixed`` beats it (the sandbox's own).

    An empty variable counts as absent, but for one that restricts. Without ``needs_token`` callers may bring theirs.
    Raises SettingsError that names every variable at fault; what is only wrong beside another one, once each of them
    can be read.
    """
    faults = list(_unknown(environ))
    given = {
        name: environ[variable]
        for name, variable in VARIABLES.items()
        if environ.get(variable, "").strip() or (name in _RESTRICTING and variable in environ)
    }
    given = {**given, **fixed}
    if "log_level" in given:
        given["log_level"] = given["log_level"].upper()
    if "log_format" in given:
        given["log_format"] = given["log_format"].lower()
    if "api_token" not in given and environ.get(TOKEN_FILE):
        given["api_token"] = token_in(Path(environ[TOKEN_FILE])) or ""
        if not given["api_token"]:
            faults.append(f"{TOKEN_FILE}: the file cannot be read, or is empty")
    elif needs_token and "api_token" not in given:
        faults.append(f"{VARIABLES['api_token']}: is not set")
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise SettingsError("\n".join([*map(_fault, error.errors(include_url=False)), *faults])) from None
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """A misspelt restriction must not be no restriction: what looks like a variable of ours has to be one."""
    known = [*VARIABLES.values(), TOKEN_FILE]
    for name in environ:
        if name.upper().startswith("CHATWOOT") and name not in known:
            [near] = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)
            yield f"{name}: unknown setting; did you mean {near}?"


def token_in(path: Path) -> str | None:
    """The token that a file holds; None where it cannot be read or is blank, as it is while it is written anew."""
    try:
        return path.expanduser().read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _fault(found: Any) -> str:
    if not found["loc"]:
        return str(found["ctx"]["error"])
    variable = VARIABLES[str(found["loc"][0])]
    if found["type"] == "missing":
        return f"{variable}: is not set"
    if found["type"] == "value_error":
        return f"{variable}: {found['ctx']['error']}"
    return f"{variable}: {found['msg'][:1].lower()}{found['msg'][1:]}"
