"""uvicorn's protocol on httptools, and on no other parser: what two read differently gets past a proxy in front.

httptools (llhttp, as in Node.js) refuses by itself bare line feeds, folded lines, several lengths, and space where none
belongs. It keeps what it has not reported yet, without an end; counts trailers as headers; drops the host of a target
that has one, and what follows a ``#``; and takes other encodings beside ``chunked``, and versions that do not exist.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chatwoot_mcp.web.limits import HEAD_BYTES, REFUSALS

_VERSIONS: Final = ("1.0", "1.1")

# uvicorn warns of each odd request, as often as it comes; refusals are told once a minute.
_quiet = logging.getLogger("uvicorn.error.requests")
_quiet.setLevel(logging.ERROR)


class StrictParser(HttpToolsProtocol):
    """What is raised where the parser calls is answered with 400, and the connection closed."""

    _unreported = 0
    _head_size = 0
    _is_in_head = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _quiet

    def data_received(self, data: bytes) -> None:
        self._unreported += len(data)
        super().data_received(data)
        if self._unreported > HEAD_BYTES:
            self._tell("what came has no end")
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        self._tell("not a request that HTTP/1.1 knows, or one that may be read in two ways")
        super().send_400_response(msg)

    def on_message_begin(self) -> None:
        self._unreported, self._head_size, self._is_in_head = 0, 0, True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_head:
            raise ValueError("a trailer, which would count as a header")
        if name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise ValueError("an encoding that would not be undone")
        self._grow(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self.url.startswith(b"/") or b"#" in self.url:
            raise ValueError("not a path, whose host or fragment would be ignored")
        parser: Any = self.parser  # None only where the connection is lost, and then nothing calls here
        if parser.get_http_version() not in _VERSIONS:
            raise ValueError("a version that does not exist, or is not spoken here")
        if parser.should_upgrade():
            raise ValueError("an upgrade, whose body would be read as the next request")
        self._is_in_head = False
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self._unreported = 0

    def on_body(self, body: bytes) -> None:
        self._unreported = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unreported = 0
        super().on_message_complete()

    def _tell(self, why: str) -> None:
        refusals = self.app_state.get(REFUSALS)
        if refusals is not None:
            refusals.tell("request", why)

    def _grow(self, size: int) -> None:
        self._unreported = 0
        self._head_size += size
        if self._head_size > HEAD_BYTES:
            raise ValueError("the head is too large")
