"""uvicorn's protocol on httptools, the faster parser of the two, held to what h11 holds to by itself.

httptools keeps what it has not reported yet, without an end; counts trailers as headers; and drops the host of a target
that has one.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chatwoot_mcp.web.limits import HEAD_BYTES


class BoundedHttpTools(HttpToolsProtocol):
    """What is raised where the parser calls is answered with 400, and the connection closed."""

    _unreported = 0
    _head_size = 0
    _is_in_head = False

    def data_received(self, data: bytes) -> None:
        self._unreported += len(data)
        super().data_received(data)
        if self._unreported > HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._unreported, self._head_size, self._is_in_head = 0, 0, True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_head:
            raise ValueError("a trailer, which would count as a header")
        self._grow(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self.url.startswith(b"/"):
            raise ValueError("not a path, whose host would be ignored")
        if self.parser is not None and self.parser.should_upgrade():
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

    def _grow(self, size: int) -> None:
        self._unreported = 0
        self._head_size += size
        if self._head_size > HEAD_BYTES:
            raise ValueError("the head is too large")
