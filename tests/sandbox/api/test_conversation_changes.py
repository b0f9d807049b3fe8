"""What changes to a conversation do beside what they are asked for, as Chatwoot does it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chatwoot_sandbox import Sandbox

A = "/api/v1/accounts/1/conversations"
AGENT = {"api_access_token": "sandbox-agent"}
BOT = {"api_access_token": "sandbox-bot"}


async def post(http: httpx.AsyncClient, path: str, body: Any = None, **headers: str) -> Any:
    answer = await http.post(f"{A}/{path}", json=body or {}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json() if answer.content else None


async def show(http: httpx.AsyncClient, number: int) -> Any:
    return (await http.get(f"{A}/{number}")).json()


async def messages(http: httpx.AsyncClient, number: int, **query: Any) -> list[Any]:
    payload: list[Any] = (await http.get(f"{A}/{number}/messages", params=query)).json()["payload"]
    return payload


async def test_every_change_leaves_a_line_of_activity(http: httpx.AsyncClient) -> None:
    await post(http, "4/toggle_status", {"status": "resolved"})
    await post(http, "4/toggle_priority", {"priority": "low"})
    await post(http, "4/labels", {"labels": ["vip"]})
    await post(http, "4/assignments", {"team_id": 1})
    await post(http, "4/assignments", {"assignee_id": 3})
    lines = [each["content"] for each in await messages(http, 4) if each["message_type"] == 2]
    assert lines == [
        "Conversation was marked resolved by Ada Admin",
        "Ada Admin changed the priority from urgent to low",
        "Ada Admin added vip",
        "Ada Admin removed billing",
        "Assigned to support by Ada Admin",
        "Assigned to Carla Agent by Ada Admin",
    ]


@pytest.mark.parametrize("name", ["{name} {x}", "{", "%s {0}"])
async def test_braces_in_a_teams_name_are_its_name(sandbox: Sandbox, http: httpx.AsyncClient, name: str) -> None:
    sandbox.store.execute("UPDATE teams SET name = ? WHERE id = 1", name)
    await post(http, "4/assignments", {"team_id": 1})
    await post(http, "4/assignments", {"team_id": None})
    told = [each["content"] for each in (await messages(http, 4))[-2:]]
    assert told == [f"Assigned to {name} by Ada Admin", f"Unassigned from {name} by Ada Admin"]


async def test_an_agent_who_opens_is_assigned_and_an_administrator_is_not(http: httpx.AsyncClient) -> None:
    for headers, expected in (({}, 3), (AGENT, 2)):
        await post(http, "5/assignments", {"assignee_id": 3})
        await post(http, "5/toggle_status", {"status": "resolved"})
        await post(http, "5/toggle_status", {"status": "open"}, **headers)
        assert (await show(http, 5))["meta"]["assignee"]["id"] == expected


async def test_a_team_drops_an_assignee_outside_it_and_the_patch_ignores_everything_but_priority(
    http: httpx.AsyncClient,
) -> None:
    await post(http, "4/assignments", {"assignee_id": 2})
    await post(http, "4/assignments", {"team_id": 3})
    assert "assignee" not in (await show(http, 4))["meta"]
    patched = await http.patch(f"{A}/4", json={"status": "resolved", "priority": "high", "team_id": 1})
    assert (patched.json()["priority"], patched.json()["meta"]["team"]["id"]) == ("high", 3)
    assert patched.json()["status"] != "resolved"


async def test_both_at_once_sets_the_agent_alone_and_unknown_ids_clear(http: httpx.AsyncClient) -> None:
    await post(http, "4/assignments", {"assignee_id": 3, "team_id": 1})
    assert "team" not in (await show(http, 4))["meta"]
    assert await post(http, "4/assignments", {"assignee_id": 999}) is None
    assert "assignee" not in (await show(http, 4))["meta"]


async def test_resolving_sends_a_survey_once_where_the_inbox_does(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.store.execute("UPDATE inboxes SET csat_survey_enabled = 1")
    for _ in range(2):
        await post(http, "4/toggle_status", {"status": "resolved"})
        await post(http, "4/toggle_status", {"status": "open"})
    surveys = [each for each in await messages(http, 4) if each["content_type"] == "input_csat"]
    assert [each["message_type"] for each in surveys] == [3]


async def test_muting_resolves_and_blocks_the_contact_and_unmuting_unblocks(http: httpx.AsyncClient) -> None:
    await post(http, "4/mute")
    muted = await show(http, 4)
    assert (muted["status"], muted["muted"], muted["meta"]["sender"]["blocked"]) == ("resolved", True, True)
    await post(http, "4/unmute")
    assert (await show(http, 4))["muted"] is False


async def test_a_bots_handoff_opens_and_answers_null(http: httpx.AsyncClient) -> None:
    await post(http, "4/toggle_status", {"status": "pending"})
    answer = await post(http, "4/toggle_status", {"status": "open"}, **BOT)
    assert (answer["payload"]["success"], answer["payload"]["current_status"]) == (None, "open")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("4/toggle_status", {"status": "closed"}),
        ("4/toggle_status", {"status": "snoozed", "snoozed_until": "soon"}),
        ("4/toggle_priority", {"priority": "none"}),
        ("4/custom_attributes", {"custom_attributes": "x"}),
        ("4/custom_attributes", {}),
    ],
)
async def test_what_chatwoot_answers_with_500(http: httpx.AsyncClient, path: str, body: Any) -> None:
    answer = await http.post(f"{A}/{path}", json=body)
    assert (answer.status_code, answer.json()) == (500, {"status": 500, "error": "Internal Server Error"})


async def test_an_iso_date_is_misread_as_its_leading_digits(http: httpx.AsyncClient) -> None:
    body = {"status": "snoozed", "snoozed_until": "2099-01-01T00:00:00Z"}
    assert (await post(http, "4/toggle_status", body))["payload"]["snoozed_until"] == "1970-01-01T00:34:59.000Z"


async def test_pages_of_messages(http: httpx.AsyncClient) -> None:
    for number in range(30):
        await post(http, "4/messages", {"content": str(number), "private": True})
    newest = await messages(http, 4)
    before = await messages(http, 4, before=newest[0]["id"])
    after = await messages(http, 4, after=newest[0]["id"])
    between = await messages(http, 4, after=before[0]["id"], before=newest[0]["id"])
    assert (len(newest), len(after)) == (20, 19)
    assert before[-1]["id"] < newest[0]["id"] == after[0]["id"] - 1
    assert between == before


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"content": "x" * 150_001}, "Validation failed: Content is too long (maximum is 150000 characters)"),
        ({"content": "x", "message_type": "foo"}, "'foo' is not a valid message_type"),
        ({"content": "x", "content_type": "foo"}, "'foo' is not a valid content_type"),
        ({"content": "x", "message_type": "incoming"}, "Incoming messages are only allowed in Api inboxes"),
        ({"content": "x", "template_params": {"language": "en"}}, "Validation failed: Name is required"),
        ({"content": "x", "content_type": "cards"}, "undefined method 'reject' for nil"),
        ({"content": "x", "attachments": ["blob"]}, "ActiveSupport::MessageVerifier::InvalidSignature"),
    ],
)
async def test_every_failure_of_a_message_is_a_422_with_its_text(
    http: httpx.AsyncClient, body: Any, error: str
) -> None:
    answer = await http.post(f"{A}/40/messages", json=body)
    assert (answer.status_code, answer.json()) == (422, {"error": error})


async def test_a_customers_message_reopens_and_is_counted_as_unread(http: httpx.AsyncClient) -> None:
    opened = (await http.post(A, json={"inbox_id": 2, "contact_id": 1})).json()["id"]
    await post(http, f"{opened}/toggle_status", {"status": "resolved"})
    await post(http, f"{opened}/messages", {"content": "Hello?", "message_type": "incoming"})
    now = await show(http, opened)
    assert (now["status"], now["unread_count"], now["last_non_activity_message"]["sender"]["type"]) == (
        "open",
        1,
        "contact",
    )
