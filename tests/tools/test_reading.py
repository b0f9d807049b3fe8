"""The tools that read: find_contacts, find_conversations, get_conversation, get_workspace."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench


def size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


# --- find_contacts ---


async def test_an_exact_match_comes_first_and_is_marked(bench: Bench) -> None:
    bench.sandbox.store.execute("UPDATE contacts SET name = 'Jane' WHERE id = 20")
    result = await bench.call("find_contacts", query="jane")
    assert [(contact["id"], contact["exact"]) for contact in result["contacts"]] == [(20, True), (1, False)]


@pytest.mark.parametrize(
    "asked",
    [
        {"email": "JANE@customers.test"},
        {"phone_number": "+1 (555) 000-1001"},
        {"identifier": "crm-1001"},
        {"contact_id": 1},
        {"email": "jane@customers.test", "identifier": "crm-1001"},
    ],
)
async def test_a_unique_value_finds_its_contact_with_one_request(bench: Bench, asked: dict[str, Any]) -> None:
    await bench.call("get_workspace", include=[])
    bench.sandbox.requests.clear()
    result = await bench.call("find_contacts", **asked)
    assert [contact["name"] for contact in result["contacts"]] == ["Jane Doe"]
    assert (result["total"], len(bench.requests)) == (1, 1)


async def test_nobody_is_an_empty_list(bench: Bench) -> None:
    for asked in ({"email": "nobody@customers.test"}, {"contact_id": 999}, {"query": "zzzz"}):
        assert (await bench.call("find_contacts", **asked))["contacts"] == []


async def test_inboxes_and_conversations_of_a_contact_come_when_asked_for(bench: Bench) -> None:
    result = await bench.call("find_contacts", contact_id=1, include=["inboxes", "conversations"])
    [contact] = result["contacts"]
    assert {"inbox_id": 2, "inbox_name": "Help Desk API", "channel": "api", "source_id": "jane-api"} in contact[
        "inboxes"
    ]
    assert [line["id"] for line in contact["conversations"]] == [2]


async def test_pages_of_contacts_follow_each_other_without_gap_or_repetition(bench: Bench) -> None:
    seen: list[int] = []
    cursor: dict[str, Any] = {}
    for _ in range(20):
        page = await bench.call("find_contacts", query="customers.test", limit=7, **cursor)
        seen += [contact["id"] for contact in page["contacts"]]
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == len(set(seen)) == 28


# --- find_conversations ---


async def test_twenty_five_conversations_fit_into_eight_thousand_bytes(bench: Bench) -> None:
    result = await bench.call("find_conversations", status="all")
    assert (len(result["conversations"]), result["total"]) == (25, 40)
    assert size(result) <= 8_000


async def test_a_line_says_what_one_needs_to_choose(bench: Bench) -> None:
    result = await bench.call("find_conversations", inbox="VIP API")
    [line] = result["conversations"]
    assert line == {
        "id": 2,
        "status": "open",
        "priority": "high",
        "inbox": "VIP API",
        "contact": {"id": 1, "name": "Jane Doe"},
        "assignee": "Carla Agent",
        "unread": line["unread"],
        "last_activity_at": line["last_activity_at"],
        "last_message": {"author": "agent", "kind": "note", "content": "Customer sounds unhappy, please be quick."},
    }


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        ({}, "status = 'open'"),
        ({"status": "snoozed"}, "status = 'snoozed'"),
        ({"status": "all", "inbox": 7}, "inbox_id = 7"),
        ({"status": "all", "assignee": "none"}, "assignee_id IS NULL"),
        ({"status": "all", "assignee": "Bob Agent"}, "assignee_id = 2"),
        ({"status": "all", "assignee": "me"}, "assignee_id = 1"),
        ({"assignee": "3", "inbox": "Website"}, "assignee_id = 3 AND inbox_id = 1 AND status = 'open'"),
        ({"status": "all", "contact_id": 1}, "contact_id = 1"),
        ({"status": "all", "contact_id": 1, "assignee": "me"}, "contact_id = 1 AND assignee_id = 1"),
        ({"status": "all", "contact_id": 1, "assignee": "none"}, "contact_id = 1 AND assignee_id IS NULL"),
        (
            {"status": "all", "labels": ["VIP"]},
            "id IN (SELECT conversation_id FROM conversation_labels WHERE title = 'vip')",
        ),
        (
            {"contact_id": 1, "labels": ["vip"]},
            "id IN (SELECT conversation_id FROM conversation_labels WHERE title = 'vip') AND contact_id = 1",
        ),
        (
            {"query": "Which order"},
            "status = 'open' AND id IN (SELECT conversation_id FROM messages WHERE content LIKE '%Which order%')",
        ),
        (
            {"query": "arrives tomorrow", "status": "all", "assignee": "Carla Agent"},
            "assignee_id = 3 AND id IN (SELECT conversation_id FROM messages WHERE content LIKE '%arrives tomorrow%')",
        ),
        ({"status": "all", "created_after": "2020-01-01"}, "1"),
        ({"status": "all", "created_before": "2020-01-01"}, "0"),
        ({"team": "support"}, "team_id = 1 AND status = 'open'"),
        ({"status": "all", "team": "none"}, "team_id IS NULL"),
        ({"status": "all", "team": " None ", "assignee": "none"}, "team_id IS NULL AND assignee_id IS NULL"),
        ({"team": "none", "inbox": 1, "assignee": "me"}, "team_id IS NULL AND assignee_id = 1 AND inbox_id = 1"),
    ],
)
async def test_each_criterion_finds_what_the_database_holds_page_by_page(
    bench: Bench, asked: dict[str, Any], condition: str
) -> None:
    bench.sandbox.store.execute("UPDATE conversations SET team_id = 1 WHERE display_id IN (3, 5, 7)")
    rows = bench.sandbox.store.rows(
        f"SELECT display_id FROM conversations WHERE account_id = 1 AND {condition}"  # noqa: S608 - of this file
    )
    seen: list[int] = []
    cursor: dict[str, Any] = {}
    for _ in range(20):
        page = await bench.call("find_conversations", **asked, limit=6, **cursor)
        seen += [line["id"] for line in page["conversations"]]
        if "total" in page:
            assert page["total"] == len(rows)
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(seen) == sorted(int(row["display_id"]) for row in rows)


def leave(sandbox: Sandbox, conversations: int) -> None:
    """Account 1 has only the first so many conversations, all open, about the same thing, in inbox 2."""
    store = sandbox.store
    first = "SELECT id FROM conversations WHERE account_id = 1 ORDER BY display_id LIMIT ?"
    store.execute(f"DELETE FROM conversations WHERE account_id = 1 AND id NOT IN ({first})", conversations)  # noqa: S608
    store.execute("UPDATE conversations SET status = 'open', inbox_id = 2 WHERE account_id = 1")
    store.execute("UPDATE messages SET content = 'Where is my parcel?'")


@pytest.mark.parametrize("inboxes", [None, frozenset({2})])
async def test_after_a_last_page_that_is_full_nothing_more_is_said_to_come(
    sandbox: Sandbox, inboxes: frozenset[int] | None
) -> None:
    leave(sandbox, 25)
    result = await Bench(sandbox, policy=Policy(allowed_inboxes=inboxes)).call("find_conversations")
    assert (len(result["conversations"]), result.keys() & {"next_cursor", "narrow"}) == (25, set())


async def test_where_chatwoot_does_not_count_a_full_page_says_that_there_may_be_more(bench: Bench) -> None:
    leave(bench.sandbox, 25)
    full = await bench.call("find_conversations", query="parcel")
    assert full["narrow"] == "There may be more than these; narrow by inbox, team, assignee, labels."
    assert (await bench.call("find_conversations", query="parcel", cursor=full["next_cursor"]))["conversations"] == []
    part = await bench.call("find_conversations", query="parcel", limit=24)
    assert part["narrow"] == "There are more than these; narrow by inbox, team, assignee, labels."


async def test_the_count_of_one_page_is_not_said_to_be_the_total(bench: Bench) -> None:
    """With a text to search, Chatwoot counts on the page."""
    leave(bench.sandbox, 30)
    first = await bench.call("find_conversations", query="parcel", status="all")
    assert (len(first["conversations"]), "total" in first) == (25, False)
    rest = await bench.call("find_conversations", query="parcel", status="all", cursor=first["next_cursor"])
    assert (len(rest["conversations"]), "next_cursor" in rest) == (5, False)


async def test_what_is_left_out_of_the_rest_of_a_page_is_not_said_to_be_more(sandbox: Sandbox) -> None:
    leave(sandbox, 3)
    sandbox.store.execute("UPDATE conversations SET inbox_id = 1 WHERE display_id = 1")
    bench = Bench(sandbox, policy=Policy(allowed_inboxes=frozenset({2})))
    result = await bench.call("find_conversations", sort="newest", limit=2)
    assert ([line["id"] for line in result["conversations"]], "next_cursor" in result) == ([3, 2], False)


@pytest.mark.parametrize("version", ["3.16", "4.15"])
async def test_after_a_last_page_of_contacts_that_is_full_there_is_no_next(version: str) -> None:
    sandbox = Sandbox(chatwoot=version)
    sandbox.store.execute("UPDATE contacts SET name = 'Fifteen ' || id WHERE account_id = 1 AND id BETWEEN 6 AND 20")
    found = await Bench(sandbox).call("find_contacts", query="Fifteen")
    assert (len(found["contacts"]), "next_cursor" in found) == (15, False)
    sandbox.close()


async def test_sorting_is_chatwoots(bench: Bench) -> None:
    oldest = await bench.call("find_conversations", status="all", sort="oldest", limit=3)
    newest = await bench.call("find_conversations", status="all", sort="newest", limit=3)
    assert [line["id"] for line in oldest["conversations"]] == [1, 2, 3]
    assert [line["id"] for line in newest["conversations"]] == [41, 40, 39]


async def test_the_allow_list_filters_what_reads_return(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(allowed_inboxes=frozenset({7})))
    listed = await bench.call("find_conversations", status="all")
    assert {line["inbox"] for line in listed["conversations"]} == {"Bandwidth SMS"}
    assert listed["total"] == 10
    workspace = await bench.call("get_workspace", include=["inboxes", "templates"])
    assert [inbox["id"] for inbox in workspace["inboxes"]] == [7]
    assert workspace["templates"] == []
    assert (await bench.call("find_contacts", contact_id=1))["contacts"] == []
    with_api = Bench(sandbox, policy=Policy(allowed_inboxes=frozenset({2, 7})))
    [jane] = (await with_api.call("find_contacts", contact_id=1, include=["inboxes", "conversations"]))["contacts"]
    assert ([inbox["inbox_id"] for inbox in jane["inboxes"]], jane["conversations"]) == ([2], [])
    for tool, code, asked in (
        ("get_conversation", "not_found", {"conversation_id": 2}),
        ("find_conversations", "not_allowed", {"inbox": 2}),
        ("add_private_note", "not_found", {"conversation_id": 2, "content": "x"}),
        ("reply_to_conversation", "not_found", {"conversation_id": 2, "content": "x"}),
        ("escalate_to_human", "not_found", {"conversation_id": 2, "summary": "x"}),
        ("save_contact", "not_allowed", {"contact_id": 1, "inbox": 2}),
    ):
        assert (await bench.refused(tool, **asked)).code == code


# --- get_conversation ---


async def test_state_and_messages_with_author_and_kind(bench: Bench) -> None:
    await bench.call("get_workspace", include=["inboxes"])
    bench.sandbox.requests.clear()
    result = await bench.call("get_conversation", conversation_id=14)
    assert len(bench.requests) == 2
    assert (result["conversation"]["id"], result["conversation"]["inbox_name"]) == (14, "Support Email")
    assert [(each["kind"], each["author"]["kind"]) for each in result["messages"]] == [
        ("incoming", "contact"),
        ("outgoing", "agent"),
        ("incoming", "contact"),
        ("note", "agent"),
        ("outgoing", "agent"),
        ("incoming", "contact"),
    ]
    assert "next_cursor" not in result


async def test_older_messages_come_by_cursor_until_there_are_none(bench: Bench) -> None:
    for number in range(45):
        await bench.call("add_private_note", conversation_id=4, content=f"note {number}")
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(10):
        page = await bench.call("get_conversation", conversation_id=4, limit=13, **cursor)
        seen = [message["content"] for message in page["messages"]] + seen
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == bench.messages(4)


async def test_twenty_messages_fit_into_six_thousand_bytes_plus_their_text(bench: Bench) -> None:
    for _ in range(20):
        await bench.call("add_private_note", conversation_id=4, content="x" * 200)
    result = await bench.call("get_conversation", conversation_id=4)
    assert len(result["messages"]) == 20
    assert size(result["messages"]) <= 6_000 + sum(len(message["content"]) for message in result["messages"])


async def test_a_bot_sees_the_last_message_and_is_told_so(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    result = await bench.call("get_conversation", conversation_id=4)
    assert (len(result["messages"]), len(result["warnings"])) == (1, 1)


# --- get_workspace ---


async def test_everything_at_once_and_no_secret(bench: Bench) -> None:
    parts = ["account", "inboxes", "agents", "teams", "labels", "custom_attributes", "canned_responses", "templates"]
    result = await bench.call("get_workspace", include=parts)
    assert result.keys() == {"me", *parts}
    assert result["me"] == {
        "kind": "person",
        "id": 1,
        "name": "Ada Admin",
        "email": "ada@acme.test",
        "accounts": [{"id": 1, "name": "Acme Support", "role": "administrator", "status": "active"}],
    }
    assert all(secret not in json.dumps(result) for secret in ("channel-secret", "sandbox-bot"))
    assert {
        "id": 14,
        "name": "Bot Desk",
        "channel": "api",
        "source_id": "any text, one per contact session; made by Chatwoot",
        "bot": "Helper Bot",
    } in result["inboxes"]
    assert {
        "id": 16,
        "name": "VIP API",
        "channel": "api",
        "source_id": "any text, one per contact session; made by Chatwoot",
        "locked": True,
    } in result["inboxes"]
    assert {"inbox_id": 4, "name": "order_update", "language": "en_US", "body": ["1", "2"]} in result["templates"]
    assert result["labels"] == ["billing", "bug", "refund", "vip"]
    assert {"short_code": "bye", "content": "Take care!"} in result["canned_responses"]
    assert {"key": "plan", "name": "plan", "of": "conversation", "type": "list", "values": ["free", "pro"]} in result[
        "custom_attributes"
    ]


async def test_a_bot_is_told_what_it_may_not_read(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    result = await bench.call("get_workspace")
    assert result["me"] == {"kind": "bot"}
    assert [warning.partition(":")[0] for warning in result["warnings"]] == ["inboxes", "agents", "teams"]


async def test_a_part_that_fails_is_named_with_what_it_was_and_loses_no_other(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("html", path="/accounts/1/agents$", times=None))
    bench.sandbox.faults.add(Fault("status", status=500, path="/accounts/1/labels$", times=None))
    bench.sandbox.faults.add(Fault("cut_before", path="/api/v1/profile$", times=None))
    result = await bench.call("get_workspace", account_id=1, include=["agents", "teams", "labels"])
    assert result.keys() == {"teams", "warnings"}
    assert [team["name"] for team in result["teams"]] == ["support", "billing", "empty"]
    assert result["warnings"] == [
        "me: Chatwoot's answer was cut off. Try again later.",
        "agents: Chatwoot's answer is not one of its API. The operator should check CHATWOOT_BASE_URL with "
        "`chatwoot-mcp doctor`.",
        "labels: Chatwoot answered 500. Try again later.",
    ]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("html", path="/agent_bot$", times=None), "Chatwoot's answer is not one of its API."),
        (Fault("status", status=502, path="/agent_bot$", times=None), "Chatwoot answered 502. Try again later."),
        (Fault("status", status=404, path="/agent_bot$", times=None), "Chatwoot found no such account or record."),
    ],
    ids=["html", "502", "404"],
)
async def test_a_bot_that_cannot_be_read_loses_no_inbox(bench: Bench, fault: Fault, reason: str) -> None:
    before = await bench.call("get_workspace", include=["inboxes"])
    bench.sandbox.faults.add(fault)
    other = Bench(bench.sandbox, policy=Policy(allowed_inboxes=frozenset({2, 14})))
    result = await other.call("get_workspace", include=["inboxes"])
    seen = [{**inbox, "bot": None} for inbox in before["inboxes"] if inbox["id"] in {2, 14}]
    assert [{"bot": None, **inbox} for inbox in result["inboxes"]] == seen
    (warning,) = result["warnings"]
    assert warning.startswith(f"inboxes: whether any of the inboxes 14, 2 has a bot could not be read: {reason}")


async def test_where_nothing_can_be_read_the_call_fails(bench: Bench) -> None:
    failure = await bench.refused("get_workspace", account_id=999)
    assert (failure.code, failure.http_status) == ("not_found", 404)
    bench.sandbox.faults.add(Fault("html", path="/api/v1/profile$", times=None))
    bench.sandbox.faults.add(Fault("html", path="/labels$", times=None))
    failure = await Bench(bench.sandbox).refused("get_workspace", account_id=1, include=["labels"])
    assert failure.code == "unexpected_response"


# --- what is wrong ---


@pytest.mark.parametrize(
    ("tool", "asked", "code", "field"),
    [
        ("find_contacts", {}, "invalid_arguments", "query"),
        ("find_contacts", {"query": "x", "email": "a@b.test"}, "invalid_arguments", "email"),
        ("find_contacts", {"email": "jane"}, "invalid_arguments", "email"),
        ("find_contacts", {"phone_number": "555 1234"}, "invalid_arguments", "phone_number"),
        ("find_contacts", {"query": "x", "include": ["notes"]}, "invalid_arguments", "include.0"),
        ("find_contacts", {"query": "x", "limit": 26}, "invalid_arguments", "limit"),
        ("find_contacts", {"query": "x", "cursor": "rubbish"}, "invalid_arguments", "cursor"),
        ("find_conversations", {"status": "closed"}, "invalid_arguments", "status"),
        ("find_conversations", {"query": "x", "contact_id": 1}, "invalid_arguments", "query"),
        ("find_conversations", {"sort": "newest", "created_after": "2026-01-01"}, "invalid_arguments", "sort"),
        ("find_conversations", {"created_after": "yesterday"}, "invalid_arguments", "created_after"),
        ("find_conversations", {"team": "none", "query": "x"}, "invalid_arguments", "query"),
        ("find_conversations", {"team": "none", "sort": "newest"}, "invalid_arguments", "sort"),
        ("find_conversations", {"inbox": "nosuch"}, "not_found", "inbox"),
        ("find_conversations", {"team": "nosuch"}, "not_found", "team"),
        ("find_conversations", {"assignee": "nosuch"}, "not_found", "assignee"),
        ("find_conversations", {"labels": ["nosuch"]}, "not_found", "labels"),
        ("get_conversation", {"conversation_id": 20}, "not_found", "conversation_id"),
        ("get_workspace", {"include": ["secrets"]}, "invalid_arguments", "include.0"),
    ],
)
async def test_what_is_wrong_is_named(bench: Bench, tool: str, asked: dict[str, Any], code: str, field: str) -> None:
    failure = await bench.refused(tool, **asked)
    assert (failure.code, failure.field) == (code, field)
    assert bench.writes == []


NAMES: dict[str, str] = {"inbox": "nosuch", "team": "nosuch", "assignee": "nosuch", "labels": "nosuch"}


@pytest.mark.parametrize(
    ("token", "tool", "asked", "code"),
    [
        ("sandbox-bot", "find_contacts", {"query": "x"}, "bot_not_allowed"),
        ("sandbox-bot", "find_contacts", {"email": "a@b.test"}, "bot_not_allowed"),
        ("sandbox-bot", "find_conversations", {}, "bot_not_allowed"),
        ("sandbox-bot", "find_conversations", {"team": "1"}, "bot_not_allowed"),
        ("sandbox-bot", "find_conversations", {"assignee": "2"}, "bot_not_allowed"),
        *[("sandbox-bot", "find_conversations", {field: name}, "bot_not_allowed") for field, name in NAMES.items()],
        *[("sandbox-admin", "find_conversations", {field: name}, "not_found") for field, name in NAMES.items()],
    ],
)
async def test_who_only_asked_is_told_nothing_of_changes(
    sandbox: Sandbox, token: str, tool: str, asked: dict[str, Any], code: str
) -> None:
    failure = await Bench(sandbox, token, Policy(default_account=1)).refused(tool, **asked)
    assert failure.code == code
    assert re.search("chang|creat|writ|leave team out", failure.text) is None


async def test_a_cursor_of_another_query_is_refused(bench: Bench) -> None:
    page = await bench.call("find_conversations", status="all", limit=5)
    failure = await bench.refused("find_conversations", status="open", cursor=page["next_cursor"])
    assert (failure.code, failure.field) == ("invalid_arguments", "cursor")
    failure = await bench.refused("get_conversation", conversation_id=4, cursor=page["next_cursor"])
    assert (failure.code, failure.field) == ("invalid_arguments", "cursor")
