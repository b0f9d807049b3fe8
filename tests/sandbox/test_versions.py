"""The sandbox as an older Chatwoot, held against what real ones answered (``older.json``, taken from recordings)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from chatwoot_sandbox import Sandbox

A: Final = "/api/v1/accounts/1"
RECORDED: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("older.json").read_text(encoding="utf-8"))
VERSIONS: Final = tuple(RECORDED["versions"])
ACTORS: Final = {"admin": "sandbox-admin", "agent": "sandbox-agent", "bot": "sandbox-bot", "free_bot": "free-bot"}


def prepared(version: str) -> Sandbox:
    """Conversation 4 has a team, and 8, of an inbox that agent 2 is not a member of, has one that they are in."""
    sandbox = Sandbox(chatwoot=version)
    sandbox.store.insert("agent_bots", id=90, account_id=1, name="Free")
    sandbox.store.insert("access_tokens", token="free-bot", owner_type="AgentBot", owner_id=90)
    sandbox.store.execute("UPDATE conversations SET team_id = 1 WHERE display_id IN (4, 8) AND account_id = 1")
    sandbox.store.execute("UPDATE conversations SET inbox_id = 7 WHERE display_id = 8 AND account_id = 1")
    return sandbox


def client(sandbox: Sandbox) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), base_url="http://sandbox.test")


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_sandbox_answers_as_the_real_one_of_that_version_did(version: str) -> None:
    sandbox = prepared(version)
    answered: dict[str, list[Any]] = {}
    async with client(sandbox) as http:
        for point in RECORDED["answers"]:
            path = point["path"].replace("TEAMED", "4").replace("THROUGH_TEAM", "8")
            headers = {"api_access_token": ACTORS[point["actor"]], "accept": "application/json"}
            answer = await http.request(point["method"], path, json=point["body"], headers=headers)
            body = answer.json() if answer.status_code >= 400 else None
            answered[point["what"]] = [answer.status_code, body]
    assert answered == {point["what"]: point["answers"][version] for point in RECORDED["answers"]}
    sandbox.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_names_itself_and_lacks_the_channels_and_keys_that_the_real_one_lacks(version: str) -> None:
    sandbox = prepared(version)
    async with client(sandbox) as http:
        http.headers["api_access_token"] = "sandbox-admin"
        about = (await http.get("/api")).json()
        inboxes = (await http.get(f"{A}/inboxes")).json()["payload"]
        conversation = (await http.get(f"{A}/conversations/5")).json()
    assert about["version"] == RECORDED["versions"][version]
    assert {
        "channels": sorted({inbox["channel_type"] for inbox in inboxes}),
        "content_templates": any("content_templates" in inbox for inbox in inboxes),
    } == RECORDED["channels"][version]
    assert keys_of(conversation) == RECORDED["keys"][version]
    sandbox.close()


async def test_before_4_7_a_phone_number_is_found_by_its_digits_alone() -> None:
    found: dict[str, list[int]] = {}
    for version in VERSIONS:
        sandbox = Sandbox(chatwoot=version)
        async with client(sandbox) as http:
            http.headers["api_access_token"] = "sandbox-admin"
            found[version] = []
            for value in ("+15550001001", "15550001001"):
                condition = {"attribute_key": "phone_number", "filter_operator": "equal_to", "values": [value]}
                answer = await http.post(f"{A}/contacts/filter", json={"payload": [condition]})
                found[version].append(answer.json()["meta"]["count"])
        sandbox.close()
    assert found == {"3.16": [0, 1], "4.0": [0, 1], "4.7": [1, 1], "4.11": [1, 1], "4.15": [1, 1]}


def test_a_version_that_is_not_imitated_is_refused() -> None:
    with pytest.raises(ValueError, match=r"5\.0 is none of 3\.16, 4\.0, 4\.7, 4\.11, 4\.15"):
        Sandbox(chatwoot="5.0")


def keys_of(conversation: dict[str, Any]) -> list[str]:
    meta = conversation["meta"]
    return sorted(
        [
            *conversation,
            *(f"meta.{key}" for key in meta if key != "team"),
            *(f"meta.sender.{key}" for key in meta["sender"] if key != "last_activity_at"),
        ]
    )
