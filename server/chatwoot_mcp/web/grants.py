"""Who may call, from a file: keys, of which only hashes are kept, and the subjects of an OAuth issuer.

The file is JSON, ``{"keys": [Key], "subjects": {subject: Grant}}``; the subject ``*`` stands for all others. It is read
anew whenever it changes, so that a revoked key stops working at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from chatwoot_mcp.files import locked, replace_text
from chatwoot_mcp.settings import known_toolsets, token_in

KEY_PREFIX: Final = "cwmcp"
"""A key is ``cwmcp_<id>_<secret>``: the id finds its entry, the secret has 256 bits."""

Ids = frozenset[Annotated[int, Field(ge=1)]] | None


class GrantsError(Exception):
    """The file cannot be used; the text says why, for the operator."""


class Grant(BaseModel):
    """What a caller may do, within what the server's settings allow; None is all of it.

    ``token_file`` holds the Chatwoot token it acts with; without one it is the server's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.@:-]+$")]
    token_file: Path | None = None
    read_only: bool = False
    toolsets: Annotated[frozenset[str], AfterValidator(known_toolsets)] | None = None
    accounts: Ids = None
    inboxes: Ids = None
    attachments: bool = True

    def token(self) -> str | None:
        """None where none is named. Raises GrantsError where the file cannot be read or is blank: no other token must
        ever take its place."""
        if self.token_file is None:
            return None
        token = token_in(self.token_file)
        if token is None:
            raise GrantsError(f"the token_file of {self.name} cannot be read, or is empty")
        return token


class Key(Grant):
    """``hash`` is the SHA-256 of the whole key, in hex: 256 random bits need no slow hash."""

    id: str
    hash: str
    created_at: datetime


class Grants(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: tuple[Key, ...] = ()
    subjects: dict[str, Grant] = {}


class GrantsFile:
    """The file, as it is now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._grants = Grants()

    def read(self) -> Grants:
        """Raises GrantsError: whom an unreadable file would have let in is not let in."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen != self._seen:
                self._grants = Grants.model_validate_json(self._path.read_bytes())
                self._seen = seen
        except OSError:
            self._seen = None
            raise GrantsError(f"{self._path} cannot be read") from None
        except ValidationError as error:
            self._seen = None
            where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
            raise GrantsError(f"{self._path} is not as it should be, at {where or 'its beginning'}") from None
        return self._grants

    def grant_of_key(self, key: str) -> Key | None:
        """The entry of a key, compared in constant time."""
        wanted = _hash(key)
        found = None
        for entry in self.read().keys:
            if hmac.compare_digest(entry.hash, wanted):
                found = entry
        return found

    def grant_of_subject(self, subject: str) -> Grant | None:
        subjects = self.read().subjects
        return subjects.get(subject) or subjects.get("*")

    def add(self, grant: Grant) -> str:
        """Add a key with this grant; gives the key, which is shown this once. Raises GrantsError."""
        with self._changing() as file:
            grants = self.read() if file.exists() else Grants()
            if any(key.name == grant.name for key in grants.keys):
                raise GrantsError(f"there is a key named {grant.name} already")
            identity = secrets.token_hex(4)
            key = f"{KEY_PREFIX}_{identity}_{secrets.token_urlsafe(32)}"
            entry = Key(**grant.model_dump(), id=identity, hash=_hash(key), created_at=datetime.now(UTC))
            _write(file, grants.model_copy(update={"keys": (*grants.keys, entry)}))
        return key

    def revoke(self, name: str) -> None:
        """Remove a key, by its name or id. Raises GrantsError."""
        with self._changing() as file:
            grants = self.read()
            kept = tuple(key for key in grants.keys if name not in (key.name, key.id))
            if len(kept) == len(grants.keys):
                raise GrantsError(f"there is no key {name}")
            _write(file, grants.model_copy(update={"keys": kept}))

    @contextmanager
    def _changing(self) -> Generator[Path]:
        """The file itself, behind any links, while nobody else changes it. Raises GrantsError."""
        file = self._path.resolve()
        try:
            with locked(file):
                self._seen = None
                yield file
        except PermissionError:
            raise GrantsError(f"{self._path} cannot be written, or not as its owner's: run this as its owner") from None
        except OSError:
            raise GrantsError(f"{self._path} cannot be written") from None


def _write(file: Path, grants: Grants) -> None:
    replace_text(file, f"{json.dumps(grants.model_dump(mode='json', exclude_none=True), indent=2)}\n")


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
