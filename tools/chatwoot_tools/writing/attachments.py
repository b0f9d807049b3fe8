"""Files to send to a customer: from one folder of the operator's choice, and from nowhere else."""

from __future__ import annotations

import asyncio
import errno
import mimetypes
import os
import stat
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from aiochatwoot.request import File
from chatwoot_tools.call.context import Policy
from chatwoot_tools.failures.codes import Code, ToolFailure

MAX_BYTES: Final = 40 * 1024 * 1024
"""Of all files of a message: Chatwoot's default on website inboxes (v4.15.1)."""

# What Windows lacks is 0 there. A pipe must not hold us up until somebody writes into it.
_FILE: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER: Final = _FILE | getattr(os, "O_DIRECTORY", 0)


async def read_attachments(names: list[str], policy: Policy) -> tuple[File, ...]:
    """The named files. Raises ToolFailure ``not_allowed``, ``not_found`` or ``invalid_arguments``."""
    if not names:
        return ()
    if policy.attachments_dir is None:
        is_own = policy.narrows is not None and policy.narrows.attachments_dir is not None
        why = "the limit `attachments` of the caller's key or subject" if is_own else "CHATWOOT_MCP_ATTACHMENTS_DIR"
        raise _refused("not_allowed", f"this caller may send no files: {why} allows none")
    return await asyncio.to_thread(_read_all, policy.attachments_dir, names)


def _read_all(folder: Path, names: list[str]) -> tuple[File, ...]:
    files: list[File] = []
    for name in names:
        room = MAX_BYTES - sum(len(file.content) for file in files)
        parts = _parts(folder, name)
        media_type = mimetypes.guess_type(parts[-1])[0] or "application/octet-stream"
        files.append(File(parts[-1], media_type, _read(folder, parts, room)))
    return tuple(files)


def _parts(folder: Path, name: str) -> tuple[str, ...]:
    """The way from the folder to the file. Dots also lead out of it."""
    path = folder / name
    if not path.is_relative_to(folder) or any(part.startswith(".") for part in path.relative_to(folder).parts):
        raise _not_allowed()
    if path == folder:
        raise _not_found()
    return path.relative_to(folder).parts


def _read(folder: Path, parts: tuple[str, ...], room: int) -> bytes:
    """Opened once; what is looked at and read is what was opened, whatever its name means by then."""
    try:
        with ExitStack() as stack:
            at, name = _way(folder, parts, stack)
            file = stack.enter_context(_opened(name, _FILE, at))
            size = _check(os.fstat(file), os.stat(name, dir_fd=at, follow_symlinks=False))
            if size > room:
                text = f"the attachments are larger than {MAX_BYTES // 1024 // 1024} MB together"
                raise _refused("invalid_arguments", text)
            content = os.fdopen(file, "rb", closefd=False).read(size + 1)
    except (OSError, ValueError) as error:
        raise _not_allowed() if getattr(error, "errno", None) == errno.ELOOP else _not_found() from None
    if len(content) != size:
        raise _refused("invalid_arguments", "a file of `attachments` is being written; call again when it is complete")
    return content


def _way(folder: Path, parts: tuple[str, ...], stack: ExitStack) -> tuple[int | None, str]:
    """The folder where the file is, opened with no link below the allowed one followed, and the file's name there."""
    if os.open not in os.supports_dir_fd:  # Windows, where it takes an administrator to make a link
        path = folder.joinpath(*parts)
        if path.resolve() != path:
            raise _not_allowed()
        return None, str(path)
    at = stack.enter_context(_opened(str(folder), _FOLDER))
    for part in parts[:-1]:
        at = stack.enter_context(_opened(part, _FOLDER, at))
    return at, parts[-1]


@contextmanager
def _opened(name: str, flags: int, at: int | None = None) -> Generator[int]:
    file = os.open(name, flags, dir_fd=at)
    try:
        yield file
    finally:
        os.close(file)


def _check(opened: os.stat_result, named: os.stat_result) -> int:
    """The size of a plain file of which the name asked for is the only one: another may lie anywhere.

    The name is looked at too, as a hard link that was just removed is counted no more.
    """
    if stat.S_ISDIR(opened.st_mode):
        raise _not_found()
    if not stat.S_ISREG(opened.st_mode) or not os.path.samestat(opened, named) or named.st_nlink != 1:
        raise _not_allowed()
    return opened.st_size


def _not_allowed() -> ToolFailure:
    text = "`attachments` may name only plain files in the folder that the operator allows: no links, no hidden files"
    return _refused("not_allowed", text)


def _not_found() -> ToolFailure:
    text = "`attachments` names a file that is not in the folder that the operator allows, or cannot be read"
    return _refused("not_found", text)


def _refused(code: Code, text: str) -> ToolFailure:
    return ToolFailure(code, f"Nothing was sent: {text}.", field="attachments")
