"""How a request reaches Chatwoot: the one module that knows the HTTP library.

Every request goes to the configured origin alone, carries the token in the hyphenated header (proxies drop the
underscored one), follows no redirect (the token would travel along), ends within its deadline and stops reading
at a size cap.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

from aiochatwoot import errors
from aiochatwoot.budget import Budget
from aiochatwoot.limits import Limits
from aiochatwoot.request import Answer, Json, Request
from aiochatwoot.retry import delay_before_retry
from aiochatwoot.throttle import Throttle, limits_for

if TYPE_CHECKING:
    import httpx

REQUEST_S: Final = 20.0
"""Time for one request, from asking for a connection to the last byte of the answer."""
CONNECT_S: Final = 5.0
MAX_BYTES: Final = 8 * 1024 * 1024
"""Cap on the decoded size of an answer."""
CONCURRENCY: Final = 8
MAX_DIGITS: Final = 100
"""Whole numbers with more are read as text: Python takes long to write them, and refuses to read beyond 4,300. Only
what people put into attributes is so long."""

_log = logging.getLogger("aiochatwoot")

# httpx logs every address at INFO, query string included, and that may be personal data.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Transport:
    """One pooled connection to one Chatwoot, for one token.

    ``http`` replaces the network (an ASGI app in this process), ``limits`` what holds requests back; ``proxy`` is the
    address of one through which an https Chatwoot is reached; ``sleep`` and ``rand`` are there for tests.
    """

    def __init__(  # noqa: PLR0913 - all but two are named where they are given
        self,
        base_url: str,
        token: str,
        *,
        http: httpx.AsyncBaseTransport | None = None,
        user_agent: str = "aiochatwoot",
        request_s: float = REQUEST_S,
        limits: Limits | None = None,
        proxy: str | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._request_s = request_s
        self._sleep = sleep
        self._rand = rand
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._http = http
        self._user_agent = user_agent
        self._proxy = proxy
        self.limits = limits or Limits(Throttle(limits_for(base_url)))

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        """Made at the first request: importing httpx and the trust store is a tenth of a server's start-up."""
        import httpx

        secure = self._http is None and self._base_url.startswith("https:")
        return httpx.AsyncClient(
            transport=self._http,
            verify=_trust() if secure else False,
            trust_env=False,  # HTTP_PROXY and its kin would have the token sent elsewhere
            proxy=self._proxy if secure else None,
            follow_redirects=False,
            timeout=httpx.Timeout(self._request_s, connect=CONNECT_S, pool=self._request_s),
            limits=httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY),
            headers={"accept": "application/json", "accept-encoding": "gzip", "user-agent": self._user_agent},
        )

    def __repr__(self) -> str:
        return f"Transport({self._base_url})"

    @property
    def base_url(self) -> str:
        """The configured address, without a trailing slash."""
        return self._base_url

    async def aclose(self) -> None:
        """Close the connections."""
        if "_client" in self.__dict__:
            await self._client.aclose()

    async def send(self, request: Request, budget: Budget) -> Answer:
        """Send a request, and again where the retry table allows it. Raises ChatwootError."""
        sent = 0
        while True:
            sent += 1
            try:
                await self._wait_for_turn(request, budget)
                return await self._send_once(request, budget)
            except errors.ChatwootError as failure:
                _log.debug("%s %s failed: %s id=%s", request.method, request.path, type(failure).__name__, budget.id)
                wait = delay_before_retry(
                    failure, is_write=request.is_write, sent=sent, time_left_s=budget.left, jitter=self._rand()
                )
                if wait is None:
                    raise
                how = "did not answer" if failure.http_status is None else f"answered {failure.http_status}"
                budget.doing = f"waiting before asking again, as Chatwoot {how}"
            await self._sleep(wait)

    async def _wait_for_turn(self, request: Request, budget: Budget) -> None:
        """Raises CircuitOpen, RateLimited and Withdrawn."""
        _check_wanted(request, budget)
        left = budget.left
        wait = await self.limits.admit(request.path, at_most_s=left, insist=budget.has_written)
        if wait >= left and wait:
            raise errors.RateLimited(wait, http_status=None)
        if wait:
            budget.doing = "waiting for a turn, to stay below Chatwoot's throttle"
            await self._sleep(wait)

    async def _send_once(self, request: Request, budget: Budget) -> Answer:
        async with self._slot(budget):
            left = budget.left
            if left <= 0:
                raise errors.DeadlineExceeded("no time left", effect=errors.Effect.NONE)
            _check_wanted(request, budget)
            budget.requests += 1
            budget.doing = "waiting for Chatwoot"
            try:
                answer = await self._attempt(request, budget, left)
            except errors.ChatwootError as failure:
                budget.answers.append(_met(failure))
                await self.limits.learn(failure)
                raise
            budget.answers.append(str(answer.status))
            await self.limits.learn(None)
            return answer

    @asynccontextmanager
    async def _slot(self, budget: Budget) -> AsyncGenerator[None]:
        """One of the few requests that are under way at a time. Waiting for it is not waiting for Chatwoot."""
        try:
            async with asyncio.timeout(budget.left):
                await self._slots.acquire()
        except TimeoutError:
            text = "no time left after waiting for other requests"
            raise errors.DeadlineExceeded(text, effect=errors.Effect.NONE) from None
        try:
            yield
        finally:
            self._slots.release()

    async def _attempt(self, request: Request, budget: Budget, left: float) -> Answer:
        import httpx

        sending = _Sending(request, budget)
        if self._http is not None:  # no trace tells when it begins
            sending.begin()
        try:
            async with asyncio.timeout(min(self._request_s, left)):
                return await self._exchange(request, budget, sending)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as failure:
            raise errors.Unreachable(_kind(failure)) from None
        except httpx.ProxyError as failure:  # it refused the tunnel, so nothing of ours went through it
            raise errors.Unreachable(_kind(failure)) from None
        except (TimeoutError, httpx.TransportError, OSError) as failure:
            # OSError: an ASGI app in this process that cuts the connection. TimeoutError is one too.
            if not sending.begun:
                raise errors.Unreachable(_kind(failure)) from None
            if not isinstance(failure, TimeoutError | httpx.TimeoutException):
                raise errors.ConnectionLost(_kind(failure)) from None
            if left <= self._request_s:
                raise errors.DeadlineExceeded("no answer within the deadline") from None
            raise errors.TimedOut("no answer in time") from None

    async def _exchange(self, request: Request, budget: Budget, sending: _Sending) -> Answer:
        async with self._client.stream(
            request.method,
            self._address(request),
            **_payload(request),
            headers=self._headers(request, budget),
            extensions={"trace": sending.trace},
        ) as response:
            body = await _read(response)
        if response.is_success:
            return Answer(response.status_code, _decode(body, response.status_code), _date(response))
        raise errors.from_answer(
            response.status_code,
            _decode_leniently(body),
            location_host=_location_host(response),
            retry_after_s=_retry_after(response),
        )

    def _address(self, request: Request) -> httpx.URL:
        import httpx

        base = httpx.URL(self._base_url)
        url = httpx.URL(f"{self._base_url}{request.path}", params=request.query or None)
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            raise ValueError("the request would leave the configured origin")
        return url

    def _headers(self, request: Request, budget: Budget) -> dict[str, str]:
        headers = {"api-access-token": self._token} if self._token else {}
        headers["x-request-id"] = budget.id
        if request.body is not None and not request.files:
            headers["content-type"] = "application/json"
        return headers


@cache
def _trust() -> ssl.SSLContext:
    """The operating system's trust store: self-hosted Chatwoots often sit behind a private authority.

    Read once: it is tens of milliseconds' work.
    """
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Sending:
    """Whether a byte of the request has left: what failed before that had surely no effect."""

    def __init__(self, request: Request, budget: Budget) -> None:
        self._request = request
        self._budget = budget
        self.begun = False

    async def trace(self, event: str, _: object) -> None:
        """Called by httpx, with events such as ``http11.send_request_headers.started``."""
        if event.endswith("send_request_headers.started"):
            self.begin()

    def begin(self) -> None:
        """The last moment: waiting for a turn, a slot and a connection may have taken long. Raises Withdrawn."""
        _check_wanted(self._request, self._budget)
        self.begun = True
        self._budget.has_written |= self._request.is_write


def _check_wanted(request: Request, budget: Budget) -> None:
    """Raises Withdrawn."""
    if request.is_write and budget.is_withdrawn:
        raise errors.Withdrawn("the call was cancelled")


def _met(failure: errors.ChatwootError) -> str:
    return type(failure).__name__ if failure.http_status is None else str(failure.http_status)


def _kind(failure: Exception) -> str:
    """Only the class: the text of a network error may hold an address with a query string."""
    return type(failure).__name__


def _payload(request: Request) -> dict[str, Any]:
    """The body as httpx takes it: JSON, or a form where there are files."""
    if request.files:
        fields = {key: value if isinstance(value, str) else json.dumps(value) for key, value in request.body.items()}
        files = [("attachments[]", (file.name, file.content, file.media_type)) for file in request.files]
        return {"data": fields, "files": files}
    return {"content": None if request.body is None else _encode(request.body)}


def _encode(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


async def _read(response: httpx.Response) -> bytes:
    """The decoded body, or ResponseTooLarge: the cap holds while unpacking, so a gzip bomb costs no memory."""
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BYTES:
        raise errors.ResponseTooLarge("the answer is too large", http_status=response.status_code)
    unpack = _unpacker(response)
    parts: list[bytes] = []
    size = 0
    try:
        async for raw in response.aiter_raw():
            part = unpack(raw, MAX_BYTES + 1 - size)
            size += len(part)
            if size > MAX_BYTES:
                raise errors.ResponseTooLarge("the answer is too large", http_status=response.status_code)
            parts.append(part)
    except zlib.error:
        raise errors.ConnectionLost("the answer is not readable", http_status=response.status_code) from None
    return b"".join(parts)


def _unpacker(response: httpx.Response) -> Callable[[bytes, int], bytes]:
    match response.headers.get("content-encoding", "").strip().lower():
        case "gzip" | "x-gzip" | "deflate":
            # 32 + MAX_WBITS: gzip and zlib headers are told apart by zlib itself.
            return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress
        case _:
            return lambda raw, _room: raw


def _decode(body: bytes, status: int) -> Json:
    """Many writes answer 200 with an empty body; anything else must be JSON."""
    if not body.strip():
        return None
    try:
        return json.loads(body, parse_int=_number)
    except (ValueError, RecursionError):
        raise errors.UnexpectedResponse("the answer is not JSON", http_status=status) from None


def _number(digits: str) -> int | str:
    return int(digits) if len(digits.removeprefix("-")) <= MAX_DIGITS else digits


def _decode_leniently(body: bytes) -> Json:
    try:
        return json.loads(body, parse_int=_number)
    except (ValueError, RecursionError):
        return None


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds from ``Retry-After``, a number or a date; None when absent, negative or unreadable."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return float(value)
    try:
        wait = (parsedate_to_datetime(value).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return wait if wait >= 0 else None


def _location_host(response: httpx.Response) -> str | None:
    import httpx

    try:
        return httpx.URL(response.headers.get("location", "")).host or None
    except httpx.InvalidURL:
        return None
