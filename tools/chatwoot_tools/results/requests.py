"""A request as a dry run shows it."""

from __future__ import annotations

from typing import Any

from aiochatwoot.request import Request
from chatwoot_tools.tool import Output


class PreparedRequest(Output):
    """A request as it would have been sent."""

    method: str
    path: str
    body: dict[str, Any]


def prepared(write: Request) -> PreparedRequest:
    files = {"attachments[]": [file.name for file in write.files]} if write.files else {}
    return PreparedRequest(method=write.method, path=write.path, body={**write.body, **files})
