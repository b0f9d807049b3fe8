"""Access tokens of an OAuth 2.1 issuer: this server is a resource server, and only checks them."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

import jwt

READ: Final = "chatwoot:read"
WRITE: Final = "chatwoot:write"
ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures only: a shared secret would be the public key itself."""
LEEWAY_S: Final = 30.0
KEYS_S: Final = 300.0
"""How long the issuer's keys are kept."""
ASK_AGAIN_S: Final = 10.0
"""A token with an unknown key makes us ask the issuer again, but not more often than this."""


class TokenRefused(Exception):
    """The text is for the caller; it never holds a part of the token."""


@dataclass(frozen=True, slots=True)
class Claims:
    subject: str
    scopes: frozenset[str]


class Issuer:
    """Checks the tokens of one issuer for one audience; ``jwks_url`` is where its keys are."""

    def __init__(self, issuer: str, audience: str, jwks_url: str) -> None:
        self.issuer = issuer
        self.audience = audience
        self._jwks_url = jwks_url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def verify(self, token: str) -> Claims:
        """Raises TokenRefused."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(str(header.get("kid", "")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenRefused("the token has expired") from None
        except jwt.InvalidAudienceError:
            raise TokenRefused("the token is for another audience") from None
        except (jwt.PyJWTError, ValueError):
            raise TokenRefused("the token is not valid here") from None
        return Claims(str(claims["sub"]), _scopes(claims))

    async def _key(self, kid: str) -> jwt.PyJWK:
        if self._has_to_ask(kid):
            async with self._asking:
                if self._has_to_ask(kid):
                    self._asked_at = time.monotonic()
                    self._keys = await asyncio.to_thread(self._fetch) or self._keys
        if kid not in self._keys:
            raise TokenRefused("the token is signed with an unknown key")
        return self._keys[kid]

    def _has_to_ask(self, kid: str) -> bool:
        age = time.monotonic() - self._asked_at
        return age > KEYS_S or (kid not in self._keys and age > ASK_AGAIN_S)

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        """The issuer's keys by id; none where they cannot be had, so that those known go on to count."""
        try:
            with urllib.request.urlopen(self._jwks_url, timeout=5) as answer:  # noqa: S310 - https, by the settings
                keys = jwt.PyJWKSet.from_dict(json.loads(answer.read(1024 * 1024))).keys
        except (OSError, ValueError, jwt.PyJWTError):
            return {}
        return {key.key_id: key for key in keys if key.key_id}


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """RFC 9068 has ``scope`` as text; some issuers have ``scp`` as a list."""
    given: Any = claims.get("scope", claims.get("scp", ""))
    return frozenset(given.split() if isinstance(given, str) else map(str, given))
