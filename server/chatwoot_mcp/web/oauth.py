"""Access tokens of an OAuth 2.1 issuer: this server is a resource server, and only checks them."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

import jwt

from aiochatwoot import Budget, Transport
from aiochatwoot.errors import ChatwootError
from aiochatwoot.limits import Limits
from aiochatwoot.request import Request
from aiochatwoot.throttle import Throttle

READ: Final = "chatwoot:read"
WRITE: Final = "chatwoot:write"
ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures only: a shared secret would be the public key itself."""
LEEWAY_S: Final = 30.0
KEYS_S: Final = 300.0
"""How long the issuer's keys are kept."""
ASK_AGAIN_S: Final = 10.0
"""A token with an unknown key makes us ask the issuer again, but not more often than this."""
FETCH_S: Final = 5.0
"""How long its answer may take in all."""
RSA_BITS: Final = 2048
"""What RFC 7518 demands of a key."""

_log = logging.getLogger("chatwoot_mcp.web")


class TokenRefused(Exception):
    """The text is for the caller; it never holds a part of the token."""


@dataclass(frozen=True, slots=True)
class Claims:
    subject: str
    scopes: frozenset[str]


class Issuer:
    """Checks the tokens of one issuer for one audience; ``jwks_url`` is where its keys are, ``proxy`` the way."""

    def __init__(self, issuer: str, audience: str, jwks_url: str, *, proxy: str | None = None) -> None:
        self.issuer = issuer
        self.audience = audience
        self._jwks_url = jwks_url
        self._proxy = proxy
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
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise TokenRefused("the token is not valid here") from None
        return Claims(str(claims["sub"]), _scopes(claims))

    async def _key(self, kid: str) -> jwt.PyJWK:
        if self._has_to_ask(kid):
            async with self._asking:
                if self._has_to_ask(kid):
                    self._asked_at = time.monotonic()
                    self._keys = await self._fetch() or self._keys
        if kid not in self._keys:
            raise TokenRefused("the token is signed with an unknown key")
        return self._keys[kid]

    def _has_to_ask(self, kid: str) -> bool:
        age = time.monotonic() - self._asked_at
        return age > KEYS_S or (kid not in self._keys and age > ASK_AGAIN_S)

    async def _fetch(self) -> dict[str, jwt.PyJWK]:
        """The issuer's keys by id; none where they cannot be had, so that those known go on to count.

        By the transport that asks Chatwoot: it follows no redirect, ends in time, and reads up to its cap.
        """
        where = urlsplit(self._jwks_url)
        path = where._replace(scheme="", netloc="").geturl()
        transport = Transport(f"{where.scheme}://{where.netloc}", "", limits=Limits(Throttle(())), proxy=self._proxy)
        try:
            answer = await transport.send(Request("GET", path), Budget(FETCH_S))
            keys = jwt.PyJWKSet.from_dict(answer.data).keys
        except (ChatwootError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            _log.warning("the keys of the OAuth issuer cannot be had: %s", type(error).__name__)
            return {}
        finally:
            await transport.aclose()
        return {key.key_id: key for key in keys if key.key_id and _may_sign(key)}


def _may_sign(key: jwt.PyJWK) -> bool:
    """Not one that is meant for something else, or too short to be safe."""
    too_short = key.key_type == "RSA" and key.key.key_size < RSA_BITS
    return key.public_key_use in (None, "sig") and key.key_type != "oct" and not too_short


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """RFC 9068 has ``scope`` as text; some issuers have ``scp`` as a list."""
    given: Any = claims.get("scope") or claims.get("scp")
    if isinstance(given, str):
        return frozenset(given.split())
    listed = cast("list[object]", given) if isinstance(given, list) else []
    return frozenset(each for each in listed if isinstance(each, str))
