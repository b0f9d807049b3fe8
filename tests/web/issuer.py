"""An OAuth issuer whose keys are made here and served on loopback, and a server that trusts it."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette

from chatwoot_mcp.web.oauth import READ, WRITE
from chatwoot_sandbox import Sandbox
from web.web import CALL, http, web_app
from wire import Wire, answer, wire

ISSUER: Final = "https://id.acme.test"
MISSING: Final = object()
"""Of a claim that a token lacks; None is null."""
AUDIENCE: Final = "https://mcp.acme.test/mcp"


@cache
def issuers_key() -> rsa.RSAPrivateKey:
    """The one that most tests sign with: to make one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Signer:
    """An issuer: its private keys by id, and where the public ones are served."""

    keys: dict[str, Any] = field(default_factory=dict[str, Any])
    stated: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    served: Wire | None = None

    def new_key(self, kid: str, *, curve: bool = False, bits: int = 2048, **stated: str) -> None:
        """``stated`` stands beside the key where it is served, such as its ``use``."""
        self.stated[kid] = stated
        self.keys[kid] = (
            ec.generate_private_key(ec.SECP256R1())
            if curve
            else rsa.generate_private_key(public_exponent=65537, key_size=bits)
        )
        if self.served is not None:
            self.served.answers[0] = answer(self.jwks())

    def jwks(self) -> bytes:
        def public(key: Any) -> dict[str, Any]:
            algorithm: Any = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
            return json.loads(algorithm.to_jwk(key.public_key()))

        keys = [{**public(key), "kid": kid, **self.stated[kid]} for kid, key in self.keys.items()]
        return json.dumps({"keys": keys}).encode()

    def token(self, kid: str = "one", **claims: Any) -> str:
        key = self.keys[kid]
        algorithm = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"
        stated = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "jane",
            "exp": time.time() + 60,
            "scope": f"openid {READ} {WRITE}",
            **claims,
        }
        stated = {name: value for name, value in stated.items() if value is not MISSING}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a short key, which is meant
            return jwt.encode(stated, key, algorithm=algorithm, headers={"kid": kid})


@asynccontextmanager
async def protected(sandbox: Sandbox, tmp_path: Path) -> AsyncGenerator[tuple[Starlette, Signer]]:
    (tmp_path / "agent").write_text("sandbox-agent", encoding="utf-8")
    subjects = {
        "jane": {"name": "jane"},
        "bob": {"name": "bob", "token_file": str(tmp_path / "agent"), "inboxes": [1, 2]},
    }
    (tmp_path / "callers.json").write_text(json.dumps({"subjects": subjects}), encoding="utf-8")
    signer = Signer({"one": issuers_key()}, {"one": {}})
    async with wire(answer(signer.jwks())) as served:
        signer.served = served
        settings = {
            "oauth_issuer": ISSUER,
            "oauth_jwks_url": f"{served.base_url}/jwks.json",
            "public_url": AUDIENCE,
            "callers_file": str(tmp_path / "callers.json"),
        }
        async with web_app(sandbox, **settings) as app:
            yield app, signer


async def status(app: Starlette, token: str) -> tuple[int, str]:
    async with http(app, authorization=f"Bearer {token}") as client:
        got = await client.post("/mcp", json=CALL)
    return got.status_code, got.json().get("error_description", "") if got.status_code != 200 else ""
