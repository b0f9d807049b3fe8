"""Files to send to a customer: from one folder of the operator's choice, and from nowhere else."""

from __future__ import annotations

import asyncio
import mimetypes
from pathlib import Path
from typing import Final

from aiochatwoot.request import File
from chatwoot_tools.context import Policy
from chatwoot_tools.failures import ToolFailure

MAX_BYTES: Final = 40 * 1024 * 1024
"""Of all files of a message: Chatwoot's default on website inboxes (v4.15.1)."""


async def read_attachments(names: list[str], policy: Policy) -> tuple[File, ...]:
    """The named files. Raises ToolFailure ``not_allowed``, ``not_found`` or ``invalid_arguments``."""
    if not names:
        return ()
    if policy.attachments_dir is None:
        text = "Nothing was sent: this server sends no files, as the operator has not set CHATWOOT_MCP_ATTACHMENTS_DIR."
        raise ToolFailure("not_allowed", text, field="attachments")
    paths = [_inside(policy.attachments_dir, name) for name in names]
    if sum(path.stat().st_size for path in paths) > MAX_BYTES:
        text = f"Nothing was sent: the attachments are larger than {MAX_BYTES // 1024 // 1024} MB together."
        raise ToolFailure("invalid_arguments", text, field="attachments")
    return tuple(await asyncio.gather(*(asyncio.to_thread(_read, path) for path in paths)))


def _inside(folder: Path, name: str) -> Path:
    """The file, with every link followed before it is compared with the folder."""
    try:
        path = (folder / name).resolve()
    except (OSError, ValueError):
        path = folder
    if not path.is_relative_to(folder):
        text = "Nothing was sent: `attachments` names a file outside the folder that the operator allows."
        raise ToolFailure("not_allowed", text, field="attachments")
    if not path.is_file():
        text = "Nothing was sent: `attachments` names a file that is not in the folder that the operator allows."
        raise ToolFailure("not_found", text, field="attachments")
    return path


def _read(path: Path) -> File:
    return File(path.name, mimetypes.guess_type(path.name)[0] or "application/octet-stream", path.read_bytes())
