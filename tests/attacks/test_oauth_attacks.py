"""What an attacker, or an issuer that was taken over or is ill, could try with OAuth tokens and keys."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import ssl
import time
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from jwt.algorithms import RSAAlgorithm

from aiochatwoot import transport
from attacks.test_proxies import over_tls, tunnels
from chatwoot_mcp.web import oauth
from chatwoot_mcp.web.oauth import WRITE
from chatwoot_sandbox import Sandbox
from web.issuer import AUDIENCE, ISSUER, MISSING, Signer, issuers_key, protected, status
from wire import Handle, answer, wire

HMAC: Final = {"alg": "HS256", "kid": "one"}


async def test_the_fetch_of_keys_follows_no_redirect(sandbox: Sandbox, tmp_path: Path) -> None:
    forger = Signer()
    forger.new_key("forged")
    async with wire(answer(forger.jwks())) as elsewhere, protected(sandbox, tmp_path) as (app, signer):
        assert signer.served is not None
        signer.served.answers[0] = answer(b"", "302 Found", Location=f"{elsewhere.base_url}/jwks.json")
        assert (await status(app, forger.token("forged")))[0] == 401
    assert elsewhere.requests == []


@pytest.mark.parametrize("part", ["head", "body"])
async def test_the_fetch_of_keys_ends_when_the_answer_drips(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(oauth, "FETCH_S", 0.3)
    ended = asyncio.Event()

    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n" + (b"\r\n" if part == "body" else b"X: "))
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    await _refused_while_it_answers(drip, sandbox, tmp_path)
    await ended.wait()


@pytest.mark.parametrize(
    "body", [b'{"keys": ' + b"[" * 100_000, b"[]", b'{"keys": 5}', b'{"keys": [5]}', b"null", b"\xff", b" " * 9_000_000]
)  # fmt: skip
async def test_an_answer_that_holds_no_keys_is_none(sandbox: Sandbox, tmp_path: Path, body: bytes) -> None:
    await _refused_while_it_answers(answer(body), sandbox, tmp_path)


async def _refused_while_it_answers(reply: bytes | Handle, sandbox: Sandbox, tmp_path: Path) -> None:
    async with protected(sandbox, tmp_path) as (app, signer):
        assert signer.served is not None
        signer.served.answers[0] = reply
        assert await status(app, signer.token()) == (401, "the token is signed with an unknown key")


@pytest.mark.parametrize("scope", [None, 5, True, {}, {WRITE: 1}, [[WRITE]], [None], "", MISSING])
async def test_a_scope_that_is_none_opens_nothing(sandbox: Sandbox, tmp_path: Path, scope: Any) -> None:
    async with protected(sandbox, tmp_path) as (app, signer):
        assert (await status(app, signer.token(scope=scope)))[0] == 403


@pytest.mark.parametrize(
    "key", [{"use": "enc"}, {"bits": 1024}, {"curve": True, "use": "enc"}], ids=["encrypts", "short", "curve encrypts"]
)
async def test_a_key_that_is_not_for_signing_or_too_short_opens_nothing(
    sandbox: Sandbox, tmp_path: Path, key: dict[str, Any]
) -> None:
    async with protected(sandbox, tmp_path) as (app, signer):
        signer.new_key("other", **key)
        assert await status(app, signer.token("other")) == (401, "the token is signed with an unknown key")
        signer.new_key("for signing", use="sig")
        assert (await status(app, signer.token()))[0] == 200


async def test_a_header_as_deep_as_may_be_is_no_traceback(sandbox: Sandbox, tmp_path: Path) -> None:
    deep = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":' + b"[" * 20_000).decode().rstrip("=")
    odd = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": {"a": [1]}}).encode()).decode().rstrip("=")
    async with protected(sandbox, tmp_path) as (app, signer):
        _, body, signature = signer.token().split(".")
        for header in (deep, odd):
            assert (await status(app, f"{header}.{body}.{signature}"))[0] == 401


def public_forms(key: rsa.RSAPrivateKey) -> list[bytes]:
    """The public key as an attacker might take it for a secret that both sides know."""
    public = key.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    whole = [public.public_bytes(encoding, form) for encoding in (Encoding.PEM, Encoding.DER)]
    return [*whole, RSAAlgorithm.to_jwk(public).encode()]


def by_hmac(secret: bytes) -> str:
    """A token that jwt itself would not sign."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "jane", "exp": time.time() + 60, "scope": WRITE}
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (HMAC, claims)]
    signature = base64.urlsafe_b64encode(hmac.digest(secret, b".".join(parts), "sha256")).rstrip(b"=")
    return b".".join([*parts, signature]).decode()


async def test_a_token_signed_with_the_public_key_as_a_secret_opens_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    async with protected(sandbox, tmp_path) as (app, signer):
        for secret in public_forms(signer.keys["one"]):
            assert (await status(app, by_hmac(secret)))[0] == 401


def test_the_library_takes_no_public_key_for_a_secret_and_reads_deep_headers() -> None:
    """We ask it for neither; versions before the lowest that we allow did otherwise."""
    for secret in public_forms(issuers_key()):
        with pytest.raises(jwt.PyJWTError):
            jwt.decode(by_hmac(secret), secret, algorithms=["HS256", "RS256"], audience=AUDIENCE)
    deep = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":' + b"[" * 20_000).decode().rstrip("=")
    with pytest.raises(jwt.DecodeError):
        jwt.get_unverified_header(f"{deep}.e30.AA")


async def test_the_proxy_of_our_setting_fetches_the_keys_too_and_cannot_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = Signer({"one": issuers_key()}, {"one": {}})
    async with (
        wire(answer(signer.jwks())) as served,
        over_tls(served.base_url, tmp_path) as (base_url, authority),
        tunnels() as (proxy, heads),
    ):
        monkeypatch.setattr(transport, "_trust", lambda: ssl.create_default_context(cafile=authority))
        given = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": f"{base_url}/jwks.json"}
        claims = await oauth.Issuer(**given, proxy=proxy).verify(signer.token())
    assert claims.subject == "jane"
    assert [head.partition(b" HTTP")[0] for head in heads] == [b"CONNECT " + base_url.removeprefix("https://").encode()]
