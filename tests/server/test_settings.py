"""The environment, read once: what is wrong is named, never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatwoot_mcp.settings import VARIABLES, SettingsError, read_settings
from chatwoot_tools import Policy

GOOD = {"CHATWOOT_BASE_URL": "https://desk.acme.test", "CHATWOOT_API_TOKEN": "canary-token"}


def test_the_two_that_are_needed_and_every_default() -> None:
    settings = read_settings(GOOD)
    assert settings.api_token.get_secret_value() == "canary-token"
    assert settings.model_dump(exclude={"api_token"}) == {
        "base_url": "https://desk.acme.test",
        "account_id": None,
        "toolsets": frozenset({"core"}),
        "read_only": False,
        "allowed_accounts": None,
        "allowed_inboxes": None,
        "deadline_s": 45.0,
        "stamp": True,
        "attachments_dir": None,
        "log_level": "INFO",
        "allow_http": False,
        "proxy": None,
        "callers_file": None,
        "caller_tokens": False,
        "oauth_issuer": None,
        "oauth_jwks_url": None,
        "public_url": None,
        "allowed_hosts": (),
        "allowed_origins": (),
        "max_body_bytes": 2 * 1024 * 1024,
        "redis_url": None,
        "log_format": None,
    }


def test_every_setting_set(tmp_path: Path) -> None:
    given = {
        **GOOD,
        "CHATWOOT_BASE_URL": "https://desk.acme.test:3000/sub/",
        "CHATWOOT_ACCOUNT_ID": "7",
        "CHATWOOT_MCP_TOOLSETS": "core",
        "CHATWOOT_MCP_READ_ONLY": "true",
        "CHATWOOT_MCP_ALLOWED_ACCOUNTS": "7, 8",
        "CHATWOOT_MCP_ALLOWED_INBOXES": "1",
        "CHATWOOT_MCP_DEADLINE_S": "12.5",
        "CHATWOOT_MCP_STAMP": "off",
        "CHATWOOT_MCP_ATTACHMENTS_DIR": str(tmp_path),
        "CHATWOOT_MCP_LOG_LEVEL": "debug",
        "CHATWOOT_MCP_ALLOW_HTTP": "1",
        "CHATWOOT_MCP_PROXY": "http://proxy.acme.test:3128",
        "CHATWOOT_MCP_CALLERS_FILE": str(tmp_path / "callers.json"),
        "CHATWOOT_MCP_CALLER_TOKENS": "yes",
        "CHATWOOT_MCP_OAUTH_ISSUER": "https://id.acme.test",
        "CHATWOOT_MCP_OAUTH_JWKS_URL": "https://id.acme.test/jwks.json",
        "CHATWOOT_MCP_PUBLIC_URL": "https://mcp.acme.test/mcp",
        "CHATWOOT_MCP_ALLOWED_HOSTS": "mcp.acme.test",
        "CHATWOOT_MCP_ALLOWED_ORIGINS": "https://app.acme.test",
        "CHATWOOT_MCP_MAX_BODY_BYTES": "4096",
        "CHATWOOT_MCP_REDIS_URL": "redis://localhost",
        "CHATWOOT_MCP_LOG_FORMAT": "JSON",
    }
    settings = read_settings(given)
    assert set(VARIABLES.values()) == given.keys()
    assert (settings.base_url, settings.log_level) == ("https://desk.acme.test:3000/sub", "DEBUG")
    assert settings.policy() == Policy(
        default_account=7,
        read_only=True,
        allowed_accounts=frozenset({7, 8}),
        allowed_inboxes=frozenset({1}),
        stamp=False,
        deadline_s=12.5,
        attachments_dir=tmp_path.resolve(),
    )


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"CHATWOOT_BASE_URL": ""}, "CHATWOOT_BASE_URL: is not set"),
        ({"CHATWOOT_API_TOKEN": " "}, "CHATWOOT_API_TOKEN: is not set"),
        ({"CHATWOOT_BASE_URL": "desk.acme.test"}, "CHATWOOT_BASE_URL: must be an address such as"),
        ({"CHATWOOT_BASE_URL": "ftp://desk.acme.test"}, "CHATWOOT_BASE_URL: must be an address such as"),
        ({"CHATWOOT_BASE_URL": "https://u:canary@desk.acme.test"}, "CHATWOOT_BASE_URL: must be a plain address"),
        ({"CHATWOOT_BASE_URL": "https://desk.acme.test?x=canary"}, "CHATWOOT_BASE_URL: must be a plain address"),
        ({"CHATWOOT_BASE_URL": "https://good\\@evil.test"}, "CHATWOOT_BASE_URL: must be"),
        ({"CHATWOOT_BASE_URL": "http://desk.acme.test"}, "CHATWOOT_BASE_URL: must begin with https://"),
        ({"CHATWOOT_BASE_URL": "http://127.evil.test"}, "CHATWOOT_BASE_URL: must begin with https://"),
        ({"CHATWOOT_ACCOUNT_ID": "0"}, "CHATWOOT_ACCOUNT_ID: "),
        ({"CHATWOOT_ACCOUNT_ID": "canary"}, "CHATWOOT_ACCOUNT_ID: "),
        ({"CHATWOOT_MCP_TOOLSETS": "core,canary"}, "CHATWOOT_MCP_TOOLSETS: has an unknown name; known are"),
        ({"CHATWOOT_MCP_ATTACHMENTS_DIR": "/canary"}, "CHATWOOT_MCP_ATTACHMENTS_DIR: "),
        ({"CHATWOOT_MCP_READ_ONLY": "canary"}, "CHATWOOT_MCP_READ_ONLY: "),
        ({"CHATWOOT_MCP_ALLOWED_INBOXES": "1,canary"}, "CHATWOOT_MCP_ALLOWED_INBOXES: "),
        ({"CHATWOOT_MCP_DEADLINE_S": "0.5"}, "CHATWOOT_MCP_DEADLINE_S: "),
        ({"CHATWOOT_MCP_DEADLINE_S": "nan"}, "CHATWOOT_MCP_DEADLINE_S: "),
        ({"CHATWOOT_MCP_LOG_LEVEL": "canary"}, "CHATWOOT_MCP_LOG_LEVEL: "),
        ({"CHATWOOT_MCP_PUBLIC_URL": "canary"}, "CHATWOOT_MCP_PUBLIC_URL: must be an address"),
        ({"CHATWOOT_MCP_OAUTH_ISSUER": "https://id.test"}, "CHATWOOT_MCP_OAUTH_ISSUER: also needs CHATWOOT_MCP_"),
        ({"CHATWOOT_MCP_OAUTH_JWKS_URL": "http://id.test/keys"}, "CHATWOOT_MCP_OAUTH_JWKS_URL: must begin with https"),
        ({"CHATWOOT_MCP_OAUTH_JWKS_URL": "file:///canary"}, "CHATWOOT_MCP_OAUTH_JWKS_URL: must be an address"),
        ({"CHATWOOT_MCP_MAX_BODY_BYTES": "1"}, "CHATWOOT_MCP_MAX_BODY_BYTES: "),
        ({"CHATWOOT_MCP_READONLY": "1"}, "CHATWOOT_MCP_READONLY: unknown setting; did you mean CHATWOOT_MCP_READ_ONLY"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_and_not_shown(changed: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({**GOOD, **changed})
    assert str(caught.value).startswith(named)
    assert "canary" not in str(caught.value)


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(
            {
                "CHATWOOT_ACCOUNT_ID": "x",
                "CHATWOOT_MCP_DEADLINE_S": "x",
                "CHATWOOT_MCP_READONLY": "x",
                "CHATWOOT_MCP_ALLOWED_INBOX": "x",
            }
        )
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "CHATWOOT_BASE_URL",
        "CHATWOOT_ACCOUNT_ID",
        "CHATWOOT_MCP_DEADLINE_S",
        "CHATWOOT_MCP_READONLY",
        "CHATWOOT_MCP_ALLOWED_INBOX",
        "CHATWOOT_API_TOKEN",
    ]


def test_an_empty_allow_list_allows_nothing_rather_than_everything() -> None:
    """A list of commas is somebody's mistake; it must not open the door."""
    settings = read_settings({**GOOD, "CHATWOOT_MCP_ALLOWED_INBOXES": ","})
    assert settings.policy().allows_inbox(1) is False


@pytest.mark.parametrize("host", ["localhost:3000", "127.0.0.1:3000", "[::1]:3000", "127.1.2.3"])
def test_loopback_needs_no_encryption(host: str) -> None:
    assert read_settings({**GOOD, "CHATWOOT_BASE_URL": f"http://{host}"}).base_url == f"http://{host}"


def test_the_token_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("canary-token\n", encoding="utf-8")
    given: dict[str, Any] = {"CHATWOOT_BASE_URL": GOOD["CHATWOOT_BASE_URL"], "CHATWOOT_API_TOKEN_FILE": str(file)}
    assert read_settings(given).api_token.get_secret_value() == "canary-token"
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="CHATWOOT_API_TOKEN_FILE: the file cannot be read, or is empty"):
        read_settings(given)
    file.unlink()
    with pytest.raises(SettingsError, match="CHATWOOT_API_TOKEN_FILE: the file cannot be read"):
        read_settings(given)


def test_no_repr_shows_the_token() -> None:
    settings = read_settings(GOOD)
    assert "canary" not in repr(settings) + str(settings) + settings.model_dump_json()
