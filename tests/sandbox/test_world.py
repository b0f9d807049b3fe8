"""What the sandbox holds at first is data: a file that is checked, and told by its keys."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from chatwoot_sandbox import Sandbox, WorldInvalid, read_world
from chatwoot_sandbox.store.world import PACKAGED, check_world
from chatwoot_sandbox.store.world_format import CHANNELS, SECTIONS

DOCUMENT = Path(__file__).parents[2] / "docs" / "sandbox-world.md"
SMALL: dict[str, Any] = {
    "accounts": [{"key": "account:a", "name": "A"}],
    "users": [
        {
            "key": "user:u",
            "name": "U",
            "email": "u@a.test",
            "token": "token:u",
            "memberships": [{"account": "account:a", "role": "administrator"}],
        }
    ],
    "inboxes": [
        {
            "key": "inbox:api",
            "account": "account:a",
            "name": "Api",
            "channel": {"type": "Channel::Api", "identifier": "api-one"},
        }
    ],
    "contacts": [{"key": "contact:c", "account": "account:a", "name": "C"}],
    "conversations": [
        {"gap": True, "account": "account:a"},
        {
            "key": "conv:first",
            "account": "account:a",
            "inbox": "inbox:api",
            "contact": "contact:c",
            "source_id": "c-1",
            "status": "open",
            "age_days": 1,
            "messages": [{"message_type": "incoming", "sender": "contact:c", "content": "Hi", "minute": 0}],
        },
    ],
}


def client(sandbox: Sandbox, token: str = "sandbox-admin") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=sandbox.app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers={"api_access_token": token})


async def ids(sandbox: Sandbox) -> dict[str, Any]:
    async with client(sandbox) as http:
        answer = await http.get("/sandbox/ids")
    assert answer.status_code == 200
    return dict(answer.json())


async def test_a_world_of_ones_own_is_served() -> None:
    sandbox = Sandbox(world=check_world(SMALL))
    keys = await ids(sandbox)
    assert {key: value for key, value in keys.items() if not key.startswith("uuid:")} == {
        "account:a": 1,
        "user:u": 1,
        "token:u": "sandbox-u",
        "inbox:api": 1,
        "identifier:api": "api-one",
        "contact:c": 1,
        "conv:first": 2,
    }
    async with client(sandbox, keys["token:u"]) as http:
        shown = (await http.get("/api/v1/accounts/1/conversations/2")).json()
    assert (shown["uuid"], shown["messages"][0]["content"]) == (keys["uuid:first"], "Hi")
    sandbox.close()


async def test_the_packaged_world_has_its_keys(sandbox: Sandbox) -> None:
    keys = await ids(sandbox)
    some = (
        "token:foreign_bot",
        "inbox:locked_api",
        "identifier:locked_api",
        "contact:other",
        "source:telegram",
        "conv:41",
    )
    assert [keys[key] for key in some] == ["sandbox-foreign-bot", 16, "api-16", 31, "tg-6", 41]


async def test_data_that_is_there_keeps_its_own_world(tmp_path: Path) -> None:
    file = str(tmp_path / "sandbox.db")
    Sandbox(file, world=check_world(SMALL)).close()
    again = Sandbox(file)
    assert (await ids(again))["token:u"] == "sandbox-u"
    again.close()


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    world = copy.deepcopy(SMALL)
    change(world)
    return world


FAULTS: Final[list[tuple[Callable[[dict[str, Any]], object], str]]] = [
    (
        lambda world: world["contacts"].append(world["contacts"][0]),
        "contacts[1].key: contact:c is there already, at contacts[0].key",
    ),
    (
        lambda world: world["conversations"][1].update(contact="contact:nobody"),
        "conversations[1].contact: there is no contact:nobody",
    ),
    (
        lambda world: world["conversations"][1]["messages"][0].update(sender="user:nobody"),
        "conversations[1].messages[0].sender: there is no user:nobody",
    ),
    (
        lambda world: world["inboxes"][0]["channel"].pop("identifier"),
        "inboxes[0].channel.identifier: is missing; a Channel::Api needs it",
    ),
    (
        lambda world: world["inboxes"][0].update(channel={"type": "Channel::Fax"}),
        f"inboxes[0].channel.type: must be one of {', '.join(CHANNELS)}",
    ),
    (lambda world: world["users"][0].pop("email"), "users[0].email: is missing"),
    (lambda world: world["users"][0].update(token="tok"), "users[0].token: must be a key like token:name"),
    (lambda world: world["accounts"][0].update(key="user:a"), "accounts[0].key: must be a key like account:name"),
    (lambda world: world["conversations"][1].update(age_days="1"), "conversations[1].age_days: must be a number"),
    (
        lambda world: world["conversations"][1].update(priority="now"),
        "conversations[1].priority: must be one of low, medium, high, urgent",
    ),
    (lambda world: world.update(contacts={}), "contacts: must be a list"),
    (lambda world: world["contacts"].append("Jane"), "contacts[1]: must be an object"),
    (
        lambda world: world["conversations"][1]["messages"][0].pop("sender"),
        "conversations[1].messages[0].sender: is missing",
    ),
    (
        lambda world: world["users"].append({**world["users"][0], "key": "user:v", "token": None}),
        "users[1].email: u@a.test is there already, at users[0]",
    ),
    (lambda world: world.update(tiles=[]), f"tiles: no such section; there are {', '.join(SECTIONS)}"),
    (
        lambda world: world["accounts"][0].update(nmae="A"),
        "accounts[0].nmae: no such field; there are name, status, locale, age_days, features",
    ),
]


@pytest.mark.parametrize(("change", "fault"), FAULTS)
def test_a_faulty_world_is_named_by_place_and_reason(change: Callable[[dict[str, Any]], object], fault: str) -> None:
    with pytest.raises(WorldInvalid) as raised:
        check_world(changed(change))
    assert str(raised.value) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [("{", "is no JSON: "), ("[]", "must be a JSON object of sections"), (None, "cannot be read: No such file")],
)
def test_nothing_starts_on_a_file_that_is_no_world(tmp_path: Path, text: str | None, fault: str) -> None:
    file, data = tmp_path / "world.json", tmp_path / "sandbox.db"
    if text is not None:
        file.write_text(text)
    command = [
        sys.executable,
        "-m",
        "chatwoot_mcp",
        "sandbox",
        "--port",
        "0",
        "--world",
        str(file),
        "--data",
        str(data),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    assert (ended.returncode, ended.stdout, data.exists()) == (2, "", False)
    assert ended.stderr.startswith(f"chatwoot-mcp cannot start:\n--world: {file} is no world:\n{fault}")


def test_the_document_tells_every_section_and_field_and_what_each_channel_needs() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for section, (kind, fields) in SECTIONS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{section}` | `{kind}:` |"))
        assert [name for name in fields if f"`{name}" not in row] == []
    for kind, channel in CHANNELS.items():
        assert f"| `{kind}` | {', '.join(f'`{name}`' for name in channel.needs)} |" in text


def test_the_documents_example_is_a_world() -> None:
    example = DOCUMENT.read_text(encoding="utf-8").partition("```json\n")[2].partition("```")[0]
    assert check_world(json.loads(example))["inboxes"][0]["key"] == "inbox:api"


def test_the_packaged_world_is_a_file_like_any_other() -> None:
    assert read_world(PACKAGED) == read_world()
