"""Creating, changing and listing conversations."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chatwoot_sandbox import Sandbox

A = "/api/v1/accounts/1"
NOT_FOUND = {"error": "Resource could not be found"}
SERVER_ERROR = {"status": 500, "error": "Internal Server Error"}


async def create(http: httpx.AsyncClient, **body: Any) -> Any:
    answer = await http.post(f"{A}/conversations", json={"inbox_id": 2, "contact_id": 1, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({}, 404, NOT_FOUND),
        ({"inbox_id": 2}, 404, NOT_FOUND),
        ({"contact_id": 1}, 404, NOT_FOUND),
        ({"inbox_id": 999, "contact_id": 1}, 404, NOT_FOUND),
        ({"inbox_id": 2, "contact_id": 31}, 404, NOT_FOUND),
        ({"inbox_id": 2, "contact_id": 1, "source_id": ""}, 404, NOT_FOUND),
        ({"source_id": "other-31"}, 401, {"error": "You are not authorized to do this action"}),
        ({"inbox_id": 2, "contact_id": 2, "source_id": "jane-api"}, 422, {"error": "source_id should be unique"}),
        (
            {"inbox_id": 3, "contact_id": 3},
            422,
            {"error": "param is missing or the value is empty: contact email"},
        ),
        (
            {"inbox_id": 4, "contact_id": 2},
            422,
            {"error": "param is missing or the value is empty: contact phone number"},
        ),
        ({"inbox_id": 8, "contact_id": 1}, 500, SERVER_ERROR),
        ({"inbox_id": 2, "contact_id": 1, "status": "foo"}, 500, SERVER_ERROR),
        ({"inbox_id": 2, "contact_id": 1, "assignee_id": 2**31}, 500, SERVER_ERROR),
        ({"inbox_id": 2, "contact_id": 1, "custom_attributes": "x"}, 500, SERVER_ERROR),
        ({"inbox_id": 2, "contact_id": 1, "message": "text"}, 500, SERVER_ERROR),
        ({"inbox_id": 3, "contact_id": 1, "message": {"content": "x", "message_type": "incoming"}}, 500, SERVER_ERROR),
        (
            {"inbox_id": 2, "contact_id": 1, "custom_attributes": {"k": "x" * 1501}},
            422,
            {"message": "Custom attributes k length should be < 1500", "attributes": ["custom_attributes"]},
        ),
        (
            {"inbox_id": 2, "contact_id": 1, "message": {"content": "x" * 150_001}},
            422,
            {"message": "Content is too long (maximum is 150000 characters)", "attributes": ["content"]},
        ),
    ],
)
async def test_a_creation_that_chatwoot_refuses_is_refused_alike(
    http: httpx.AsyncClient, body: dict[str, Any], status: int, expected: Any
) -> None:
    answer = await http.post(f"{A}/conversations", json=body)
    assert (answer.status_code, answer.json()) == (status, expected)


async def test_a_conversation_without_assignee_and_team_has_neither_key(http: httpx.AsyncClient) -> None:
    view = await create(http)
    assert "assignee" not in view["meta"]
    assert "team" not in view["meta"]
    assert (view["status"], view["messages"], view["first_reply_created_at"]) == ("open", [], 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"inbox_id": 14, "status": "open"}, "pending"),
        ({"contact_id": 5, "status": "open"}, "resolved"),
        ({"inbox_id": 14, "contact_id": 5}, "resolved"),
        ({"status": "snoozed"}, "snoozed"),
        ({"status": 1}, "resolved"),
    ],
)
async def test_bots_and_blocked_contacts_decide_the_status(
    http: httpx.AsyncClient, body: dict[str, Any], status: str
) -> None:
    assert (await create(http, **body))["status"] == status


async def test_a_locked_inbox_gives_back_its_latest_conversation_and_appends(http: httpx.AsyncClient) -> None:
    body = {"inbox_id": 16, "source_id": "jane-vip", "status": "resolved", "message": {"content": "again"}}
    first, second = await create(http, **body), await create(http, **body)
    assert first["id"] == second["id"]
    assert second["status"] == "open"
    assert second["messages"][0]["content"] == "again"


async def test_a_failing_message_burns_the_number_and_keeps_the_contact_inbox(
    http: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    before = (await create(http))["id"]
    answer = await http.post(
        f"{A}/conversations",
        json={"inbox_id": 2, "contact_id": 1, "source_id": "kept", "message": {"message_type": "foo"}},
    )
    assert answer.status_code == 500
    assert sandbox.store.row("SELECT 1 FROM contact_inboxes WHERE source_id = 'kept'") is not None
    assert (await create(http))["id"] == before + 2


async def test_outgoing_content_is_rendered_as_liquid_outside_backticks(http: httpx.AsyncClient) -> None:
    content = "Hi {{contact.first_name}} {{nope}}`{{contact.name}}` {{broken"
    view = await create(http, message={"content": content})
    assert view["messages"][0]["content"] == "Hi Jane `{{contact.name}}` {{broken"


async def test_unknown_ids_unassign_with_a_null_body(http: httpx.AsyncClient) -> None:
    url = f"{A}/conversations/{(await create(http))['id']}"
    assert (await http.post(f"{url}/assignments", json={"assignee_id": 2})).json()["id"] == 2
    assert (await http.post(f"{url}/assignments", json={"assignee_id": 999})).text == "null"
    assert "assignee" not in (await http.get(url)).json()["meta"]
    assert (await http.post(f"{url}/assignments", json={"team_id": 1})).json()["name"] == "support"
    assert (await http.post(f"{url}/assignments", json={"team_id": 99})).text == "null"


async def test_attributes_and_labels_are_replaced(http: httpx.AsyncClient) -> None:
    url = f"{A}/conversations/{(await create(http, custom_attributes={'old': 1}))['id']}"
    await http.post(f"{url}/custom_attributes", json={"custom_attributes": {"new": 2}})
    await http.post(f"{url}/labels", json={"labels": ["a"]})
    await http.post(f"{url}/labels", json={"labels": ["b,c"]})
    view = (await http.get(url)).json()
    assert (view["custom_attributes"], view["labels"]) == ({"new": 2}, ["b", "c"])


async def test_an_agent_who_opens_a_conversation_gets_it(http: httpx.AsyncClient) -> None:
    number = (await create(http, status="resolved"))["id"]
    headers = {"api_access_token": "sandbox-agent"}
    answer = await http.post(f"{A}/conversations/{number}/toggle_status", json={"status": "open"}, headers=headers)
    assert answer.json()["payload"]["current_status"] == "open"
    assert (await http.get(f"{A}/conversations/{number}")).json()["meta"]["assignee"]["id"] == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("toggle_status", {"status": "foo"}),
        ("toggle_status", {"status": "snoozed", "snoozed_until": "soon"}),
        ("toggle_priority", {"priority": "none"}),
        ("custom_attributes", {}),
    ],
)
async def test_wrong_values_are_a_server_error(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answer = await http.post(f"{A}/conversations/{(await create(http))['id']}/{path}", json=body)
    assert (answer.status_code, answer.json()) == (500, SERVER_ERROR)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"message_type": "foo"}, "'foo' is not a valid message_type"),
        ({"content": "x" * 150_001}, "Validation failed: Content is too long (maximum is 150000 characters)"),
        ({"template_params": {"language": "en"}}, "Validation failed: Name is required"),
        ({"content_type": "cards"}, "undefined method 'reject' for nil"),
    ],
)
async def test_every_failure_of_a_message_is_a_422(http: httpx.AsyncClient, body: dict[str, Any], text: str) -> None:
    answer = await http.post(f"{A}/conversations/{(await create(http))['id']}/messages", json=body)
    assert (answer.status_code, answer.json()) == (422, {"error": text})


async def test_an_incoming_message_reopens_and_a_reply_ends_the_wait(http: httpx.AsyncClient) -> None:
    url = f"{A}/conversations/{(await create(http, status='resolved'))['id']}"
    await http.post(f"{url}/messages", json={"content": "hello?", "message_type": "incoming"})
    assert (await http.get(url)).json()["status"] == "open"
    await http.post(f"{url}/messages", json={"content": "yes"})
    view = (await http.get(url)).json()
    assert (view["waiting_since"], view["first_reply_created_at"] > 0) == (0, True)


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ([{"attribute_key": "status", "filter_operator": "equal_to", "values": ["open"]}], 200),
        ([{"attribute_key": "foo", "filter_operator": "equal_to", "values": ["x"]}], 422),
        ([{"attribute_key": "status", "filter_operator": "contains", "values": ["x"]}], 422),
        (
            [{"attribute_key": "status", "filter_operator": "equal_to", "values": ["x"], "query_operator": "AND"}],
            500,
        ),
        ([{"attribute_key": "status", "filter_operator": "equal_to", "values": "open"}], 500),
        ([], 500),
    ],
)
async def test_filters_answer_as_chatwoot_does(http: httpx.AsyncClient, payload: Any, status: int) -> None:
    answer = await http.post(f"{A}/conversations/filter", json={"payload": payload})
    assert answer.status_code == status, answer.text


async def test_a_search_for_text_counts_its_page_alone(http: httpx.AsyncClient) -> None:
    """Recorded on 3.16.0 to 4.15.1, for a blank text as well."""
    for text in ("question", ""):
        data = (await http.get(f"{A}/conversations", params={"status": "all", "q": text})).json()["data"]
        assert data["meta"]["all_count"] == len(data["payload"]) <= 25


async def test_the_list_shows_open_conversations_with_counts(http: httpx.AsyncClient) -> None:
    made = await create(http)
    data = (await http.get(f"{A}/conversations")).json()["data"]
    assert made["id"] in [row["id"] for row in data["payload"]]
    assert set(data["meta"]) == {"mine_count", "assigned_count", "unassigned_count", "all_count"}
