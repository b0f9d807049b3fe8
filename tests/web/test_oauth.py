"""Tokens of an OAuth issuer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from chatwoot_mcp.web import oauth
from chatwoot_mcp.web.oauth import READ, WRITE
from chatwoot_sandbox import Sandbox
from web.issuer import AUDIENCE, ISSUER, MISSING, Signer, protected, status
from web.web import CALL, client_of, http
from wire import answer

PAIR: dict[str, Any] = {"inbox_id": 2, "contact_id": 1}


async def test_a_good_token_opens_and_its_subject_decides_the_chatwoot_token(sandbox: Sandbox, tmp_path: Path) -> None:
    emails: list[str] = []
    async with protected(sandbox, tmp_path) as (app, signer):
        for subject in ("jane", "bob"):
            async with client_of(app, authorization=f"Bearer {signer.token(sub=subject)}") as client:
                me: dict[str, Any] = (await client.call_tool("get_workspace", {})).structured_content or {}
            emails.append(me["me"]["email"])
        assert signer.served is not None
        assert len(signer.served.requests) == 1
    assert emails == ["ada@acme.test", "bob@acme.test"]


@pytest.mark.parametrize(
    ("claims", "code", "says"),
    [
        ({"exp": 1}, 401, "has expired"),
        ({"exp": MISSING}, 401, "not valid"),
        ({"aud": "https://elsewhere.test"}, 401, "another audience"),
        ({"aud": MISSING}, 401, "not valid"),
        ({"iss": "https://evil.test"}, 401, "not valid"),
        ({"sub": MISSING}, 401, "not valid"),
        ({"nbf": time.time() + 3600}, 401, "not valid"),
        ({"scope": "openid"}, 403, READ),
        ({"scope": MISSING}, 403, READ),
        ({"sub": "stranger"}, 403, "nothing is set up"),
    ],
)
async def test_other_tokens_do_not(
    sandbox: Sandbox, tmp_path: Path, claims: dict[str, Any], code: int, says: str
) -> None:
    async with protected(sandbox, tmp_path) as (app, signer):
        got = await status(app, signer.token(**claims))
    assert got[0] == code
    assert says in got[1]


async def test_forged_tokens_do_not_either(sandbox: Sandbox, tmp_path: Path) -> None:
    async with protected(sandbox, tmp_path) as (app, signer):
        good = signer.token()
        head, body, _ = good.split(".")
        forger = Signer()
        forger.new_key("one")
        public = signer.keys["one"].public_key()
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "jane", "exp": time.time() + 3600, "scope": WRITE}
        by_hmac = jwt.encode(claims, str(public.public_numbers().n), algorithm="HS256", headers={"kid": "one"})
        unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "one"})
        for forged in (forger.token(), f"{head}.{body}.", f"{head}.{body}.AAAA", by_hmac, unsigned, "a.b.c", "x"):
            assert (await status(app, forged))[0] == 401, forged


async def test_the_scope_to_read_only_reads(sandbox: Sandbox, tmp_path: Path) -> None:
    async with protected(sandbox, tmp_path) as (app, signer):
        token = signer.token(scope=MISSING, scp=[READ])
        async with client_of(app, authorization=f"Bearer {token}") as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            result = await client.call_tool("create_conversation", PAIR)
    assert "create_conversation" not in names
    assert "find_contacts" in names
    assert (result.meta or {})["chatwoot/error"]["code"] == "read_only"


async def test_a_new_key_of_the_issuer_is_asked_for_but_not_at_every_strangers_token(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with protected(sandbox, tmp_path) as (app, signer):
        assert signer.served is not None
        assert (await status(app, signer.token()))[0] == 200
        stranger = Signer()
        stranger.new_key("two")
        for _ in range(5):
            assert (await status(app, stranger.token("two")))[0] == 401
        assert len(signer.served.requests) == 1
        monkeypatch.setattr(oauth, "ASK_AGAIN_S", -1.0)
        signer.new_key("three", curve=True)
        assert (await status(app, signer.token("three")))[0] == 200
        assert len(signer.served.requests) == 2
        del signer.keys["one"]
        monkeypatch.setattr(oauth, "KEYS_S", -1.0)
        signer.new_key("four")
        assert (await status(app, signer.token("four")))[0] == 200


async def test_an_issuer_that_is_away_does_not_shut_out_whom_it_let_in(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with protected(sandbox, tmp_path) as (app, signer):
        assert signer.served is not None
        token = signer.token()
        assert (await status(app, token))[0] == 200
        monkeypatch.setattr(oauth, "KEYS_S", -1.0)
        signer.served.answers[0] = answer(b"<html>", "500 Oops")
        assert (await status(app, token))[0] == 200


async def test_a_client_learns_whom_to_ask(sandbox: Sandbox, tmp_path: Path) -> None:
    async with protected(sandbox, tmp_path) as (app, _), http(app) as client:
        refused = await client.post("/mcp", json=CALL)
        told = [
            await client.get(f"/.well-known/oauth-protected-resource{path}")  # one after the other
            for path in ("", "/mcp")
        ]
    where = "https://mcp.acme.test/.well-known/oauth-protected-resource/mcp"
    assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="{where}"'
    assert [each.json() for each in told] == [
        {
            "resource": AUDIENCE,
            "authorization_servers": [ISSUER],
            "scopes_supported": [READ, WRITE],
            "bearer_methods_supported": ["header"],
        }
    ] * 2
