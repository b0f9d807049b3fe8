"""Files of the operator that commands change while servers read them."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(file: Path) -> Generator[None]:
    """While inside, no other command changes a file of the same folder. The folder is made where there is none.

    The folder is locked, not the file: that is another one after each change. Raises OSError.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def replace_text(file: Path, text: str) -> None:
    """Write a file anew, as a whole or not at all: whoever reads it at the moment has the old one.

    Its owner and mode stay; a new one is its owner's alone, who is the folder's owner where this may be given.
    Raises OSError, also where the owner cannot be kept: a server that may not read it any more would let nobody in.
    """
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as written:
            _own_as(written.fileno(), file)
            written.write(text)
            written.flush()
            os.fsync(written.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink()
        raise


def _own_as(handle: int, file: Path) -> None:
    if sys.platform == "win32":
        return
    if file.exists():
        now = file.stat()
        if (now.st_uid, now.st_gid) != (os.fstat(handle).st_uid, os.fstat(handle).st_gid):
            os.fchown(handle, now.st_uid, now.st_gid)
        os.fchmod(handle, now.st_mode & 0o777)
        return
    folder = file.parent.stat()
    with suppress(PermissionError):
        os.fchown(handle, folder.st_uid, folder.st_gid)
