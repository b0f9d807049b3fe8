"""The command. Exits with 0 only if every case is true, with 2 where it was called wrongly or nothing can be tried."""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import NoReturn
from urllib.parse import urlsplit

import httpx

from aiochatwoot import Transport
from aiochatwoot.limits import Limits
from aiochatwoot.loopback import is_loopback
from aiochatwoot.throttle import Throttle, limits_for
from chatwoot_tools.registry import TOOLS
from scripts.prove.case import Case
from scripts.prove.catalogue import cases, left_out
from scripts.prove.direct import Direct, Unusable
from scripts.prove.place import look_around
from scripts.prove.proxy import Cutter
from scripts.prove.report import Report
from scripts.prove.run import Prover

TOKEN_VARIABLE = "CHATWOOT_API_TOKEN"  # noqa: S105 - a name, no token
CONFIRM = "--i-know-this-is-a-test-instance"
REQUEST_S = 30.0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Unusable(f"{message}; see --help")


def main(argv: Sequence[str] | None = None) -> int:
    try:
        _reach_loopback_directly()
        args = command_line().parse_args(argv)
        base, token = _address(args), _token(args)
        report = asyncio.run(prove(base, token, args))
    except Unusable as error:
        _tell(f"prove: {error}")
        return 2
    except KeyboardInterrupt:
        _tell("prove: interrupted; what was made by then has the name that was said")
        return 130
    sys.stdout.write(f"{report.as_json() if args.json else report.as_text()}\n")
    return 0 if report.is_true else 1


async def prove(base: str, token: str, args: argparse.Namespace) -> Report:
    """Raises Unusable where nothing can be tried."""
    throttle = Throttle(limits_for(base))  # the tools meet a proxy on loopback: they could not know
    async with _http(base, {"api-access-token": token, "accept": "application/json"}) as http:
        direct = Direct(http, throttle)
        place = await look_around(http, direct, base, args.account, args.inbox)
        _tell(f'What this run makes is named "{place.title} …".')
        cutter = Cutter(_http(base, {}))
        await cutter.open()
        transport = Transport(cutter.base_url, token, user_agent="chatwoot-mcp prove", limits=Limits(throttle))
        try:
            chosen = [case for case in cases(place) if not args.tool or case.tool in args.tool]
            rows = await Prover(place, cutter, transport).run(chosen, max(1, args.at_once), _progress(chosen))
        finally:
            await transport.aclose()
            await cutter.aclose()
        with suppress(Unusable):
            await direct.contacts_like(place.title)
    contacts, conversations = sorted(direct.contacts_seen), sorted(direct.conversations_seen)
    return Report(base, place, rows, left_out(place), contacts, conversations)


def command_line() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m scripts.prove",
        description="Try every tool on a Chatwoot that is there to be tried on, cut each write in five ways, and "
        "compare what was said with what is there. It makes contacts and conversations of its own, in an API inbox.",
    )
    parser.add_argument("--base", required=True, help="address of the Chatwoot, such as http://127.0.0.1:3000")
    parser.add_argument("--token", help=f"access token of a person; better kept in {TOKEN_VARIABLE}")
    parser.add_argument("--account", type=int, metavar="N", help="needed where the token belongs to several")
    parser.add_argument("--inbox", type=int, metavar="ID", help="an API inbox (default: one that is found)")
    parser.add_argument(
        "--tool", action="append", choices=[tool.name for tool in TOOLS], help="only this one; repeatable"
    )
    parser.add_argument("--at-once", type=int, default=4, metavar="N", help="cases at a time (default 4)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(CONFIRM, action="store_true", dest="confirmed", help="needed beyond loopback")
    return parser


def _address(args: argparse.Namespace) -> str:
    base: str = args.base.rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
        raise Unusable("--base must be an address with its scheme, such as https://chatwoot.example.com")
    if not is_loopback(parts.hostname) and not args.confirmed:
        raise Unusable(f"this writes to {parts.hostname}: if that is an instance to be tried on, add {CONFIRM}")
    return base


def _token(args: argparse.Namespace) -> str:
    token: str = (args.token or os.environ.get(TOKEN_VARIABLE, "")).strip()
    if not token or not token.isascii() or not token.isprintable():
        raise Unusable(f"give the access token of your Chatwoot profile page, by {TOKEN_VARIABLE} or --token")
    return token


def _reach_loopback_directly() -> None:
    """Where a proxy leads out of the network, none leads to ours."""
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = ",".join(filter(None, (excepted, "127.0.0.1")))


def _http(base: str, headers: dict[str, str]) -> httpx.AsyncClient:
    """A connection for each request: on one that was kept, Chatwoot may hang up just as a write begins."""
    fresh = httpx.Limits(max_keepalive_connections=0)
    verify = _trust() if base.startswith("https:") else False
    return httpx.AsyncClient(base_url=base, headers=headers, verify=verify, timeout=REQUEST_S, limits=fresh)


def _trust() -> ssl.SSLContext:
    """The operating system's trust store, as the tools use it."""
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _progress(chosen: list[Case]) -> Callable[[], None]:
    """Says on a terminal how far it is."""
    of, done = sum(2 if case.takes_key else 1 for case in chosen), count(1)

    def tell() -> None:
        now = next(done)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{now} of {of}{'' if now < of else chr(10)}")

    return tell


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
