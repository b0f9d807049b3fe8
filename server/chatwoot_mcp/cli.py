"""The command line. Nothing heavy is imported before it is known to be needed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from chatwoot_mcp import __version__
from chatwoot_mcp.known_hosts import HOSTS

if TYPE_CHECKING:
    from chatwoot_mcp.settings import Settings
    from chatwoot_mcp.web.grants import GrantsFile

_DATA_HELP = "with --sandbox: keep its data in this file, which several processes may share"
_NO_SETTINGS = """\
chatwoot-mcp needs to know its Chatwoot:
  CHATWOOT_BASE_URL    its address, e.g. https://app.chatwoot.com
  CHATWOOT_API_TOKEN   the access token of your Chatwoot profile page
  CHATWOOT_ACCOUNT_ID  the default account (optional)
Or try it without one: chatwoot-mcp --sandbox, or chatwoot-mcp demo."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command; exits 0, 1 where it found something wrong, 2 where it was called or set up wrongly."""
    args = _parser().parse_args(argv)
    if args.data is not None and not (args.sandbox or args.run is _sandbox):
        _fail("chatwoot-mcp cannot start:\n--data: is the file of the embedded Chatwoot, and needs --sandbox")
    try:
        sys.exit(args.run(args))
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatwoot-mcp", description="An MCP server for Chatwoot. Without a command it serves on stdin and stdout."
    )
    parser.add_argument("--version", action="version", version=f"chatwoot-mcp {__version__}")
    parser.add_argument("--sandbox", action="store_true", help="serve an embedded Chatwoot; needs no settings")
    parser.add_argument("--data", metavar="FILE", help=_DATA_HELP)
    parser.set_defaults(run=_stdio)
    commands = parser.add_subparsers(metavar="COMMAND")

    stdio = commands.add_parser("stdio", help="serve MCP on stdin and stdout (the default)")
    stdio.add_argument("--sandbox", action="store_true", default=argparse.SUPPRESS, help="serve an embedded Chatwoot")
    stdio.add_argument("--data", metavar="FILE", default=argparse.SUPPRESS, help=_DATA_HELP)

    http = commands.add_parser("http", help="serve MCP over Streamable HTTP at /mcp")
    http.add_argument("--host", default="127.0.0.1")
    http.add_argument("--port", type=int, default=8080)
    http.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    http.add_argument("--sandbox", action="store_true", default=argparse.SUPPRESS, help="serve an embedded Chatwoot")
    http.add_argument("--data", metavar="FILE", default=argparse.SUPPRESS, help=_DATA_HELP)
    http.set_defaults(run=_http)

    _add_keys(commands)

    demo = commands.add_parser("demo", help="open a conversation in an embedded Chatwoot, and show how")
    demo.set_defaults(run=_demo)

    sandbox = commands.add_parser("sandbox", help="run the embedded Chatwoot alone, over HTTP")
    sandbox.add_argument("--host", default="127.0.0.1", help="beyond loopback at your risk: its tokens are public")
    sandbox.add_argument("--port", type=int, default=3000)
    sandbox.add_argument("--data", metavar="FILE", default=argparse.SUPPRESS, help="keep its data in this file")
    sandbox.add_argument(
        "--world",
        metavar="FILE",
        help="what it holds at first, as docs/sandbox-world.md tells; a --data FILE that is "
        "there already keeps its own",
    )
    sandbox.add_argument(
        "--jobs-after",
        metavar="SECONDS",
        type=_seconds,
        default=0.0,
        help="how long after its answer it does what Chatwoot leaves to jobs: automatic assignment, activity lines, "
        "delivery (default 0: before the next request; inf: at POST /sandbox/settle)",
    )
    versions = ("3.16", "4.0", "4.7", "4.11", "4.15")
    sandbox.add_argument("--chatwoot", choices=versions, default="4.15", help="be like this version")
    sandbox.set_defaults(run=_sandbox)

    doctor = commands.add_parser("doctor", help="say what works, and what to do about what does not")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=_doctor)

    tools = commands.add_parser("tools", help="show the tools as a host sees them")
    tools.add_argument("--json", action="store_true")
    tools.set_defaults(run=_tools)

    config = commands.add_parser("config", help="print the configuration for a host")
    config.add_argument("host", choices=HOSTS)
    config.set_defaults(run=_config)
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds >= 0:
        raise ValueError
    return seconds


def _add_keys(commands: Any) -> None:
    keys = commands.add_parser("keys", help="keys with which others may call over HTTP")
    keys.add_argument("--file", help="default: CHATWOOT_MCP_CALLERS_FILE")
    verbs = keys.add_subparsers(metavar="VERB", required=True)
    add = verbs.add_parser("add", help="make a key, and show it this once")
    add.add_argument("name")
    add.add_argument(
        "--token-file",
        help="holds the Chatwoot token to act with, under this name also for the server (default: its own)",
    )
    add.add_argument("--read-only", action="store_true")
    add.add_argument("--toolsets", help="comma list of toolsets or tools")
    add.add_argument("--accounts", help="comma list of account ids; an empty one allows none")
    add.add_argument("--inboxes", help="comma list of inbox ids; an empty one allows none")
    add.add_argument("--no-attachments", dest="attachments", action="store_false", help="send no files")
    add.set_defaults(run=_keys_add)
    verbs.add_parser("list", help="show the keys, without what opens anything").set_defaults(run=_keys_list)
    revoke = verbs.add_parser("revoke", help="take a key back, at once")
    revoke.add_argument("name", help="its name or id")
    revoke.set_defaults(run=_keys_revoke)


def _http(args: argparse.Namespace) -> int:
    from chatwoot_mcp.settings import SettingsError
    from chatwoot_mcp.web.serve import run_http, run_http_on_sandbox

    if args.workers < 1 or (args.sandbox and args.workers > 1):
        _fail("chatwoot-mcp cannot start:\n--workers: must be at least 1, and 1 with --sandbox")
    try:
        if args.sandbox:
            run_http_on_sandbox(
                lambda base_url: _sandbox_settings(base_url, web=True), args.host, args.port, args.data, _tell
            )
        else:
            run_http(_settings(web=True), args.host, args.port, args.workers, _tell)
    except SettingsError as error:
        _fail(f"chatwoot-mcp cannot start:\n{error}")
    return 0


def _keys_add(args: argparse.Namespace) -> int:
    from pathlib import Path

    from pydantic import ValidationError

    from chatwoot_mcp.settings import listed
    from chatwoot_mcp.web.grants import Grant, GrantsError

    limits: dict[str, Any] = {name: listed(getattr(args, name)) for name in ("accounts", "inboxes", "toolsets")}
    # Absolute, as the server may run elsewhere; links stay, as what they point to may be replaced.
    file = None if args.token_file is None else Path(args.token_file).expanduser().absolute()
    try:
        grant = Grant(name=args.name, token_file=file, read_only=args.read_only, attachments=args.attachments, **limits)
        grant.token()  # raises where a token_file is named and holds none
        key = _grants_file(args).add(grant)
    except (GrantsError, ValidationError) as error:
        _fail(f"no key was made: {_first_fault(error)}")
    _say(key)
    return 0


def _keys_list(args: argparse.Namespace) -> int:
    from chatwoot_mcp.web.grants import GrantsError

    try:
        for key in _grants_file(args).read().keys:
            about = key.model_dump(mode="json", exclude={"name", "id", "hash"}, exclude_none=True)
            _say(f"{key.id}  {key.name:20} {' '.join(f'{name}={value}' for name, value in about.items())}")
    except GrantsError as error:
        _fail(str(error))
    return 0


def _keys_revoke(args: argparse.Namespace) -> int:
    from chatwoot_mcp.web.grants import GrantsError

    try:
        _grants_file(args).revoke(args.name)
    except GrantsError as error:
        _fail(str(error))
    _say(f"revoked {args.name}")
    return 0


def _grants_file(args: argparse.Namespace) -> GrantsFile:
    from pathlib import Path

    from chatwoot_mcp.settings import VARIABLES
    from chatwoot_mcp.web.grants import GrantsFile

    path = args.file or os.environ.get(VARIABLES["callers_file"])
    if not path:
        _fail(f"set {VARIABLES['callers_file']}, or give --file")
    return GrantsFile(Path(path))


def _first_fault(error: Exception) -> str:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    fault = error.errors(include_url=False, include_input=False)[0]
    text = str(fault.get("ctx", {}).get("error", fault["msg"]))
    return f"{fault['loc'][0]}: {text[:1].lower()}{text[1:]}"


def _stdio(args: argparse.Namespace) -> int:
    import anyio

    from chatwoot_mcp.app import run_stdio, run_stdio_on_sandbox

    if args.sandbox:
        anyio.run(run_stdio_on_sandbox, _sandbox_settings, args.data)
    else:
        anyio.run(run_stdio, _settings())
    return 0


def _demo(_: argparse.Namespace) -> int:
    import anyio

    from chatwoot_mcp.demo import run_demo

    return anyio.run(run_demo, _say)


def _sandbox(args: argparse.Namespace) -> int:
    import anyio

    from chatwoot_mcp.app import run_sandbox
    from chatwoot_sandbox import WorldInvalid

    try:
        anyio.run(run_sandbox, args.host, args.port, args.data, args.world, args.chatwoot, args.jobs_after, _say)
    except WorldInvalid as fault:
        _fail(f"chatwoot-mcp cannot start:\n--world: {args.world} is no world:\n{fault}")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    import anyio

    from chatwoot_mcp.doctor import run_doctor

    return anyio.run(run_doctor, _settings(), args.json, _say)


def _tools(args: argparse.Namespace) -> int:
    from chatwoot_mcp.adapter import describe, json_of
    from chatwoot_mcp.offers import offered_tools

    settings = _sandbox_settings("http://127.0.0.1")
    tools = [describe(tool) for tool in offered_tools(settings.toolsets, read_only=settings.read_only)]
    if args.json:
        _say(f"[{','.join(json_of(tool).decode() for tool in tools)}]")
        return 0
    for tool in tools:
        _say(f"{tool.name:24} {len(json_of(tool)):6} bytes  {tool.description}")
    _say(f"{len(tools)} tools, {sum(len(json_of(tool)) for tool in tools)} bytes")
    return 0


def _config(args: argparse.Namespace) -> int:
    from chatwoot_mcp.hosts import command_path, snippet

    _say(snippet(args.host, command_path()))
    return 0


def _settings(*, web: bool = False) -> Settings:
    from chatwoot_mcp.settings import VARIABLES, SettingsError, read_settings

    if not any(name.upper().startswith("CHATWOOT") for name in os.environ):
        _fail(_NO_SETTINGS)
    brings_own = web and any(os.environ.get(VARIABLES[name]) for name in ("callers_file", "caller_tokens"))
    try:
        return _logging(read_settings(os.environ, needs_token=not brings_own), over_http=web)
    except SettingsError as error:
        _fail(f"chatwoot-mcp cannot start:\n{error}")


def _sandbox_settings(base_url: str, *, web: bool = False) -> Settings:
    """The sandbox's own address and token; the other settings count as they are."""
    from chatwoot_mcp.settings import SANDBOX_TOKEN, SettingsError, read_settings

    fixed: dict[str, Any] = {"base_url": base_url, "api_token": SANDBOX_TOKEN}
    try:
        return _logging(read_settings(os.environ, **fixed), over_http=web)
    except SettingsError as error:
        _fail(f"chatwoot-mcp cannot start:\n{error}")


def _logging(settings: Settings, *, over_http: bool) -> Settings:
    from chatwoot_mcp.logs import configure_logging

    configure_logging(settings, over_http=over_http)
    return settings


def _say(line: str) -> None:
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read along has left (`| head`): go on without saying more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _fail(text: str) -> NoReturn:
    sys.stderr.write(f"{text}\n")
    sys.exit(2)
