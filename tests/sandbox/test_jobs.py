"""What Chatwoot does after its answer, as it was recorded of 4.15.1 (and of an account without ``assignment_v2``)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatwoot_sandbox import Sandbox

A = "/api/v1/accounts/1"
AUTO = {"inbox_id": 1, "contact_id": 1}
"""The inbox that assigns by itself; Bob (2) and Carla (3) are online members, Dmitri (4) is no member."""


@pytest.fixture
def jobs_after_s() -> float:
    return math.inf


async def create(http: httpx.AsyncClient, **body: Any) -> Any:
    answer = await http.post(f"{A}/conversations", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def change(http: httpx.AsyncClient, number: int, what: str, **body: Any) -> Any:
    answer = await http.post(f"{A}/conversations/{number}/{what}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json() if answer.content else None


async def settle(http: httpx.AsyncClient) -> None:
    answer = await http.post("/sandbox/settle")
    assert (answer.status_code, answer.content) == (204, b"")


async def seen(http: httpx.AsyncClient, number: int) -> tuple[int | None, list[str]]:
    """Whose it is, and the lines of activity."""
    view = (await http.get(f"{A}/conversations/{number}")).json()
    listed = (await http.get(f"{A}/conversations/{number}/messages")).json()["payload"]
    assignee = view["meta"].get("assignee")
    return assignee["id"] if assignee else None, [each["content"] for each in listed if each["message_type"] == 2]


async def test_a_job_assigns_after_the_answer(http: httpx.AsyncClient) -> None:
    made = await create(http, **AUTO)
    assert ("assignee" in made["meta"], made["messages"]) == (False, [])
    assert await seen(http, made["id"]) == (None, [])
    await settle(http)
    assert await seen(http, made["id"]) == (2, ["Assigned to Bob Agent by Default Policy"])


async def test_at_once_is_before_the_next_request() -> None:
    sandbox = Sandbox()
    async with client(sandbox) as http:
        made = await create(http, **AUTO)
        assert ("assignee" in made["meta"], made["messages"]) == (False, [])
        assert await seen(http, made["id"]) == (2, ["Assigned to Bob Agent by Default Policy"])
    sandbox.close()


def client(sandbox: Sandbox, address: str = "127.0.0.1") -> httpx.AsyncClient:
    headers = {"api_access_token": "sandbox-admin"}
    transport = httpx.ASGITransport(app=sandbox.app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)


async def test_jobs_come_due_by_the_clock_and_what_they_write_is_dated_then() -> None:
    now = [1_800_000_000.0]
    sandbox = Sandbox(clock=lambda: now[0], jobs_after_s=2.0)
    async with client(sandbox) as http:
        made = await create(http, **AUTO, assignee_id=3)
        now[0] += 1.9
        assert await seen(http, made["id"]) == (3, [])
        now[0] += 3600
        assert await seen(http, made["id"]) == (3, ["Assigned to Carla Agent by Ada Admin"])
        view = (await http.get(f"{A}/conversations/{made['id']}")).json()
        assert (view["messages"][0]["created_at"], view["last_activity_at"]) == (1_800_000_002, 1_800_000_002)
    sandbox.close()


async def test_every_change_leaves_its_line_later_and_in_order(http: httpx.AsyncClient) -> None:
    await change(http, 4, "toggle_status", status="resolved")
    patched = await http.patch(f"{A}/conversations/4", json={"priority": "low"})
    assert patched.json()["messages"][0]["message_type"] != 2
    await change(http, 4, "labels", labels=["vip"])
    await change(http, 4, "assignments", assignee_id=3)
    await change(http, 4, "assignments", assignee_id=1, assignee_type="AgentBot")
    assert (await seen(http, 4))[1] == []
    await settle(http)
    assert (await seen(http, 4))[1] == [
        "Conversation was marked resolved by Ada Admin",
        "Ada Admin changed the priority from urgent to low",
        "Ada Admin added vip",
        "Ada Admin removed billing",
        "Assigned to Carla Agent by Ada Admin",
        "Conversation unassigned by Ada Admin",
    ]


@pytest.mark.parametrize(
    ("body", "assignee", "lines"),
    [
        ({"status": "pending"}, None, []),
        ({"assignee_id": 4}, 4, ["Assigned to Dmitri Agent by Ada Admin"]),
        ({"assignee_id": 99999999}, None, ["Assigned to  by Ada Admin"]),
        ({"team_id": 1}, None, ["Assigned to support by Ada Admin"]),
        ({"team_id": 2}, 3, ["Assigned to Carla Agent via billing by Ada Admin"]),
        ({"team_id": 3}, None, ["Assigned to empty by Ada Admin"]),
        ({"inbox_id": 2}, None, []),
    ],
    ids=["pending", "a non-member", "nobody known", "a team that does not", "a team that does", "an empty team", "off"],
)
async def test_the_job_takes_open_conversations_without_assignee_alone(
    http: httpx.AsyncClient, body: dict[str, Any], assignee: int | None, lines: list[str]
) -> None:
    made = await create(http, **{**AUTO, **body})
    await settle(http)
    assert await seen(http, made["id"]) == (assignee, lines)


async def test_opening_resolving_and_snoozing_start_the_job_and_unassigning_waits_for_the_next(
    http: httpx.AsyncClient,
) -> None:
    await change(http, 12, "toggle_status", status="open")
    await settle(http)
    assert (await seen(http, 12))[0] == 2
    for number, status in ((36, "snoozed"), (36, "resolved"), (24, "open")):
        await change(http, 12, "assignments", assignee_id=None)
        await settle(http)
        assert (await seen(http, 12))[0] is None
        await change(http, number, "toggle_status", status=status)
        await settle(http)
        assert (await seen(http, 12))[0] is not None


@pytest.mark.parametrize(("given", "assignee"), [({}, 2), ({"assignee_id": 3}, 3), ({"assignee_id": 4}, 2)])
async def test_an_older_account_assigns_before_its_answer(
    http: httpx.AsyncClient, sandbox: Sandbox, given: dict[str, Any], assignee: int
) -> None:
    assert (await http.get(A)).json()["features"] == {"assignment_v2": True}
    sandbox.store.update("accounts", 1, features="{}")
    assert (await http.get(A)).json()["features"] == {}
    made = await create(http, **AUTO, **given)
    assert (made["meta"]["assignee"]["id"], made["messages"]) == (assignee, [])
    waiting = await create(http, **AUTO, status="pending")
    await change(http, waiting["id"], "toggle_status", status="open")
    assert (await seen(http, waiting["id"]))[0] is not None


NO_TWILIO = "Failed to open TCP connection to api.twilio.com:443 (getaddrinfo: Name or service not known)"


@pytest.mark.parametrize(
    ("inbox_id", "message", "status", "error"),
    [
        (2, {}, "sent", None),
        (7, {}, "sent", None),
        (4, {}, "failed", "Template not found or invalid template name"),
        (4, {"template_params": {"name": "order_update"}}, "sent", None),
        (4, {"private": True}, "sent", None),
        (5, {}, "failed", NO_TWILIO),
        (6, {}, "failed", NO_TWILIO),
        (6, {"source_id": "came from there"}, "sent", None),
    ],
)
async def test_delivery_fails_later_where_it_does_and_keeps_what_the_attributes_held(
    http: httpx.AsyncClient, inbox_id: int, message: dict[str, Any], status: str, error: str | None
) -> None:
    message = {"content": "hello", "content_attributes": {"x": 1}, **message}
    made = await create(http, inbox_id=inbox_id, contact_id=1, message=message)
    assert (made["messages"][0]["status"], made["messages"][0]["content_attributes"]) == ("sent", {"x": 1})
    await settle(http)
    [shown] = (await http.get(f"{A}/conversations/{made['id']}/messages")).json()["payload"]
    told = {"external_error": error} if error else {}
    assert (shown["status"], shown["content_attributes"]) == (status, {"x": 1, **told})


async def test_mail_gets_its_message_id_when_it_is_sent(http: httpx.AsyncClient) -> None:
    made = await create(http, inbox_id=3, contact_id=1, message={"content": "hello"})
    assert made["messages"][0]["source_id"] is None
    await settle(http)
    [shown] = (await http.get(f"{A}/conversations/{made['id']}/messages")).json()["payload"]
    assert shown["source_id"] == f"conversation/{made['uuid']}/messages/{shown['id']}@acme.test"


async def test_what_is_left_is_done_before_the_data_is_closed(tmp_path: Path) -> None:
    file = str(tmp_path / "sandbox.db")
    sandbox = Sandbox(file, jobs_after_s=math.inf)
    async with client(sandbox) as http:
        number = (await create(http, **AUTO))["id"]
        assert (await seen(http, number))[0] is None
    sandbox.close()
    reopened = Sandbox(file, jobs_after_s=math.inf)
    async with client(reopened) as http:
        assert (await seen(http, number))[0] == 2
    reopened.close()


async def test_only_this_machine_may_settle(sandbox: Sandbox) -> None:
    async with client(sandbox, "203.0.113.5") as http:
        assert (await http.post("/sandbox/settle")).status_code == 403
