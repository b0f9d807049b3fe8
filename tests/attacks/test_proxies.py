"""The token goes to Chatwoot alone, whatever the environment says about proxies."""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aiochatwoot import Budget, Transport, errors
from aiochatwoot.request import Request
from certificates import certificate
from chatwoot_mcp.settings import SettingsError, read_settings
from chatwoot_sandbox import Sandbox, serve
from server.test_cli import doctor
from wire import answer, wire

GET = Request("GET", "/api")
POST = Request("POST", "/api/v1/accounts/1/conversations", {}, is_write=True)
NAMES = [each for name in ("http_proxy", "https_proxy", "all_proxy") for each in (name, name.upper())]


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(pipe(reader, back), pipe(there, writer))


@asynccontextmanager
async def over_tls(base_url: str, folder: Path) -> AsyncGenerator[tuple[str, Path]]:
    """The same under https, and the file of the private authority that vouches for it."""
    chain, key = certificate("127.0.0.1", folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    port = urlsplit(base_url).port or 0
    async with await asyncio.start_server(lambda r, w: joined(r, w, port), "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", chain


@asynccontextmanager
async def tunnels() -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A proxy, and the head of each request to it."""
    heads: list[bytes] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await joined(reader, writer, int(heads[-1].split()[1].rpartition(b":")[2]))

    async with await asyncio.start_server(serve_one, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


@pytest.mark.parametrize("name", NAMES)
async def test_a_proxy_of_the_environment_gets_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for each in (*NAMES, "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(each, raising=False)
    async with wire(answer()) as there, wire(answer()) as proxy:
        monkeypatch.setenv(name, proxy.base_url)
        transport = Transport(there.base_url, "canary-token")
        await transport.send(GET, Budget(math.inf))
        await transport.aclose()
    assert (len(there.requests), proxy.requests) == (1, [])


async def test_a_socks_proxy_of_the_environment_is_no_traceback(sandbox: Sandbox) -> None:
    async with serve(sandbox) as base_url:
        code, _ = await doctor(base_url, ALL_PROXY="socks5://127.0.0.1:9", HTTP_PROXY="nonsense")
    assert code == 0


async def test_a_proxy_that_our_setting_names_tunnels_and_cannot_read(sandbox: Sandbox, tmp_path: Path) -> None:
    async with serve(sandbox) as plain, over_tls(plain, tmp_path) as (base_url, authority), tunnels() as (proxy, heads):
        address = proxy.replace("//", "//user:secret@")
        code, said = await doctor(base_url, SSL_CERT_FILE=str(authority), CHATWOOT_MCP_PROXY=address)
    assert code == 0, said
    assert {head.partition(b" HTTP")[0] for head in heads} == {b"CONNECT " + base_url.removeprefix("https://").encode()}
    assert b"Basic dXNlcjpzZWNyZXQ=" in heads[0]
    assert b"sandbox-admin" not in b"".join(heads)


async def test_with_its_private_authority_in_ssl_cert_file_a_chatwoot_is_trusted_and_without_it_is_not(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with serve(sandbox) as plain, over_tls(plain, tmp_path) as (base_url, authority):
        trusted, _ = await doctor(base_url, SSL_CERT_FILE=str(authority))
        stranger, _ = await doctor(base_url)
    assert (trusted, stranger) == (0, 1)
    assert [record.path for record in sandbox.requests if record.path == "/api"] == ["/api"]


async def test_a_proxy_that_refuses_says_that_nothing_was_sent() -> None:
    async with wire(answer(status="407 Proxy Authentication Required")) as proxy:
        transport = Transport("https://desk.test", "canary-token", proxy=proxy.base_url)
        with pytest.raises(errors.Unreachable):
            await transport.send(POST, Budget(1))
        await transport.aclose()
    assert b"canary-token" not in b"".join(proxy.requests)


@pytest.mark.parametrize(
    ("base_url", "proxy"),
    [
        ("https://desk.test", "socks5://canary.test"),
        ("https://desk.test", "canary.test:3128"),
        ("https://desk.test", "http://canary.test/path"),
        ("http://desk.test", "http://canary.test"),
    ],
)
def test_a_proxy_that_could_not_tunnel_is_refused_at_start(base_url: str, proxy: str) -> None:
    given = {"CHATWOOT_BASE_URL": base_url, "CHATWOOT_API_TOKEN": "t", "CHATWOOT_MCP_ALLOW_HTTP": "1"}
    with pytest.raises(SettingsError) as caught:
        read_settings({**given, "CHATWOOT_MCP_PROXY": proxy})
    assert str(caught.value).startswith("CHATWOOT_MCP_PROXY: ")
    assert "canary" not in str(caught.value)


def test_the_proxys_password_is_shown_nowhere() -> None:
    given = {"CHATWOOT_BASE_URL": "https://desk.test", "CHATWOOT_API_TOKEN": "t"}
    settings = read_settings({**given, "CHATWOOT_MCP_PROXY": "http://user:canary@proxy.test"})
    assert settings.proxy_url == "http://user:canary@proxy.test"
    assert "canary" not in repr(settings) + settings.model_dump_json()
