"""Plays the scenarios that real Chatwoots were recorded with; ``make.py`` makes their file.

A scenario is a name, an area and steps: what to send, with placeholders, and what to save of the answer.
``{inbox:api}`` is a key of the world, ``{$conv}`` what was saved,
``{@run}`` the tag of the recording, ``{@i}`` the number of the repetition.
"""

from __future__ import annotations

import base64
import json
import lzma
import re
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote, unquote, urlencode

from chatwoot_sandbox import Sandbox

HERE: Final = Path(__file__).parent
SCENARIOS: Final = HERE / "scenarios.xz"
WORLD: Final = HERE / "world.json"
RUN: Final = "zk1"
ADDRESS: Final = "http://chatwoot.test:3000"
_PLACEHOLDER: Final = re.compile(r"\{(\$\w+|@\w+|[a-z_]+:[\w.\-]+)\}")
_BOUNDARY: Final = "boundary"
_KEPT_HEADERS: Final = ("location", "retry-after")


class Missing(Exception):
    """A key or a saved value that is not there, so that the step cannot be played."""


@dataclass(frozen=True)
class Answer:
    """``body`` is JSON where ``kind`` is json, otherwise the text."""

    status: int
    kind: str
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """One request of a scenario, as often as it is repeated."""

    area: str
    scenario: str
    number: int
    turn: int
    sends: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.scenario}[{self.number}]" + (f".{self.turn}" if self.turn else "")

    @property
    def route(self) -> str:
        path = re.sub(r"\{[$@]?([a-z_]+)[^}]*\}", r"{\1}", self.sends["path"].partition("?")[0])
        return f"{self.sends['method']} {path}"

    @property
    def is_faulty(self) -> bool:
        return bool(self.sends.get("faulty"))


@dataclass
class Values:
    """What placeholders stand for on one side."""

    ids: Mapping[str, Any]
    saved: dict[str, Any] = field(default_factory=dict[str, Any])
    turn: int = 0

    def value(self, name: str) -> Any:
        own = {"@run": RUN, "@i": self.turn or 1, "@num": f"{zlib.crc32(RUN.encode()) % 1000:03}"}
        known = own if name.startswith("@") else self.saved if name.startswith("$") else self.ids
        key = name.removeprefix("$")
        if key not in known:
            raise Missing(name)
        return known[key]

    def text(self, text: str) -> str:
        return _PLACEHOLDER.sub(lambda found: str(self.value(found[1])), text)

    def fill(self, value: Any) -> Any:
        """A body; a text that is one placeholder becomes its value."""
        match value:
            case str():
                whole = _PLACEHOLDER.fullmatch(value)
                return self.value(whole[1]) if whole else self.text(value)
            case list():
                return [self.fill(each) for each in cast("list[Any]", value)]
            case {"$repeat": [text, times]}:
                return self.text(text) * times
            case {"$str": inner}:
                return str(self.fill(inner))
            case {"$unix": seconds}:
                return int(time.time()) + int(seconds)
            case {"$iso": seconds}:
                return f"{datetime.now(UTC) + timedelta(seconds=int(seconds)):%Y-%m-%dT%H:%M:%SZ}"
            case {"$date": days}:
                return f"{datetime.now(UTC) + timedelta(days=int(days)):%Y-%m-%d}"
            case dict():
                return {self.text(key): self.fill(each) for key, each in cast("dict[str, Any]", value).items()}
            case _:
                return value

    def save(self, step: Step, answer: Answer) -> None:
        """What the step saves of its answer; what is not there is forgotten."""
        for name, pointer in step.sends.get("save", {}).items():
            self.saved.pop(name, None)
            try:
                self.saved[name] = _at(answer.body if answer.kind == "json" else None, pointer)
            except (KeyError, IndexError, ValueError, TypeError):
                continue
        for name, header in step.sends.get("save_header", {}).items():
            if header in answer.headers:
                self.saved[name] = answer.headers[header]


def _at(document: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        place: Any = int(part) if isinstance(document, list) else part
        document = cast("Any", document)[place]
    return document


def scenarios() -> list[list[Step]]:
    """The steps of each scenario, in playing order."""
    lines = lzma.decompress(SCENARIOS.read_bytes()).decode().splitlines()
    return [_steps(json.loads(line)) for line in lines]


def _steps(scenario: dict[str, Any]) -> list[Step]:
    return [
        Step(scenario["area"], scenario["name"], number, turn, sends)
        for number, sends in enumerate(scenario["steps"])
        for turn in (range(1, sends["times"] + 1) if sends.get("times", 1) > 1 else (0,))
    ]


async def ask(sandbox: Sandbox, step: Step, values: Values) -> Answer:
    """Send the step. Raises Missing."""
    values.turn = step.turn
    if step.sends.get("settle"):
        sandbox.settle()
    path, query = _target(step.sends, values)
    content_type, body = _body(step.sends, values)
    headers = _headers(step.sends, values, content_type)
    return await _call(sandbox, (step.sends["method"], path, query), headers, body)


def _target(sends: Mapping[str, Any], values: Values) -> tuple[str, str]:
    path = _PLACEHOLDER.sub(lambda found: quote(str(values.value(found[1])), safe=""), sends["path"])
    path, _, query = quote(path, safe="/%?&=+:;,@!$'()*[]~-._").partition("?")
    given: Any = sends.get("query") or {}
    pairs: list[tuple[str, Any]] = list(cast("dict[str, Any]", given).items()) if isinstance(given, dict) else given
    filled = [(values.text(name), str(values.fill(value))) for name, value in pairs]
    return path, "&".join(part for part in (query, urlencode(filled, quote_via=quote)) if part)


def _body(sends: Mapping[str, Any], values: Values) -> tuple[str | None, bytes]:
    if "raw" in sends:
        return "application/json", values.text(sends["raw"]).encode("utf-8", "surrogatepass")
    if "form" in sends:
        return f"multipart/form-data; boundary={_BOUNDARY}", _form(sends["form"], values)
    if "body" in sends:
        return "application/json", json.dumps(values.fill(sends["body"])).encode()
    return None, b""


def _form(fields: list[tuple[str, Any]], values: Values) -> bytes:
    parts = [_part(name, content, values) for name, content in fields]
    return b"".join(f"--{_BOUNDARY}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{_BOUNDARY}--\r\n".encode()


def _part(name: str, content: Any, values: Values) -> bytes:
    if isinstance(content, dict) and "$file" in content:
        file = cast("dict[str, Any]", content)["$file"]
        head = f'name="{name}"; filename="{file["name"]}"\r\nContent-Type: {file["type"]}'
        return f"Content-Disposition: form-data; {head}\r\n\r\n".encode() + base64.b64decode(file["base64"])
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{values.fill(content)}'.encode()


def _headers(sends: Mapping[str, Any], values: Values, content_type: str | None) -> dict[str, str]:
    headers = {"host": ADDRESS.partition("//")[2], "accept": "application/json"}
    if content_type:
        headers["content-type"] = content_type
    actor = sends.get("actor")
    if actor is not None:
        token = {"garbage": "this-token-does-not-exist", "blank": "  "}.get(actor) or values.value(f"token:{actor}")
        headers[sends.get("token_header", "api_access_token")] = str(token)
    for name, value in sends.get("headers", {}).items():
        headers.pop(name.lower(), None)
        if value is not None:
            headers[name.lower()] = values.text(value)
    return headers


async def _call(sandbox: Sandbox, target: tuple[str, str, str], headers: Mapping[str, str], body: bytes) -> Answer:
    method, path, query = target
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("chatwoot.test", 3000),
        "client": None,
        "root_path": "",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await sandbox.app(scope, receive, send)
    answered = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return describe(sent[0]["status"], content.decode("utf-8", "replace"), answered)


def describe(status: int, text: str, headers: Mapping[str, str]) -> Answer:
    kept = {name: value for name, value in headers.items() if name in _KEPT_HEADERS}
    if not text:
        return Answer(status, "empty", "", kept)
    try:
        return Answer(status, "json", json.loads(text), kept)
    except ValueError:
        return Answer(status, "html" if text.lstrip().startswith("<") else "text", text, kept)


async def play(sandbox: Sandbox, ids: Mapping[str, Any]) -> AsyncIterator[tuple[Step, Answer | Missing, Values]]:
    """Every step, what came of it, and what was saved by then."""
    for steps in scenarios():
        values = Values(ids)
        for step in steps:
            try:
                answer = await ask(sandbox, step, values)
            except Missing as missing:
                yield step, missing, values
                continue
            values.save(step, answer)
            yield step, answer, values
