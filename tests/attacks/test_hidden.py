"""What a limit hides stays hidden: inboxes, their conversations and their customers read as what does not exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mcp_types as types
import pytest

from chatwoot_mcp.errors import as_failure
from chatwoot_mcp.web.grants import Grant, GrantsFile
from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench, assert_stands_by_itself
from web.web import client_of, web_app

MINE: Final = 2
"""The inbox that the caller is limited to, where nothing else is said."""
CIRCUMSTANCES: Final = (
    ("4.15", "sandbox-admin"),
    *(pytest.param("4.15", f"sandbox-{who}", marks=pytest.mark.long) for who in ("agent", "bot")),
    *(pytest.param("4.7", f"sandbox-{who}", marks=pytest.mark.long) for who in ("admin", "bot")),
)
MISSING: Final = 987_654
TARA: Final = 6
"""Known in inbox 10 alone, by the source id ``tg-6``."""
FOR_ALL: Final = {
    "save_contact": {"name": "New"},
    "reply_to_conversation": {"content": "x"},
    "add_private_note": {"content": "x"},
    "escalate_to_human": {"summary": "x"},
    "create_conversation": {},
}


def limited(sandbox: Sandbox, *inboxes: int, token: str = "sandbox-admin") -> Bench:
    policy = Policy(default_account=1, allowed_inboxes=frozenset(inboxes or {MINE}))
    return Bench(sandbox, token, policy)


async def told(bench: Bench, tool: str, arguments: dict[str, Any]) -> str:
    """All that a caller reads, of a result or of a failure."""
    try:
        return json.dumps(await bench.call(tool, **arguments))
    except Exception as error:  # noqa: BLE001 - the adapter turns each into a failure, and so do we
        failure = as_failure(error)
        assert_stands_by_itself(failure)
        return json.dumps([failure.code, failure.text, failure.field, failure.http_status, failure.retryable])


@dataclass(frozen=True)
class Probe:
    """A call that names what may be hidden. ``hidden``: what is, for a caller limited to ``inboxes``."""

    tool: str
    field: str
    hidden: Any
    rest: tuple[tuple[str, Any], ...] = ()
    inboxes: tuple[int, ...] = (MINE,)

    def arguments(self, value: Any) -> dict[str, Any]:
        return {**FOR_ALL.get(self.tool, {}), self.field: value, **dict(self.rest)}

    @property
    def missing(self) -> Any:
        if isinstance(self.hidden, int):
            return MISSING
        known = {"7": "98", "+15550001001": "+15557654321"}
        default = re.sub(r"\w+", "nowhere", self.hidden, count=1) if "@" in self.hidden else "nowhere"
        return known.get(self.hidden, default)

    def __str__(self) -> str:
        return "-".join([self.tool, self.field, str(self.hidden), *(name for name, _ in self.rest)])


def probes() -> Iterator[Probe]:
    """Conversation 35 is in inbox 7, 36 in 1, 34 in 3. Contact 4 is known nowhere."""
    for conversation in (34, 35, 36):
        yield Probe("get_conversation", "conversation_id", conversation)
        yield Probe("get_conversation", "conversation_id", conversation, inboxes=(MINE, 14))
        for rest in ({}, {"dry_run": True}):
            pairs = tuple(rest.items())
            yield Probe("reply_to_conversation", "conversation_id", conversation, pairs)
            yield Probe("add_private_note", "conversation_id", conversation, pairs)
            yield Probe("escalate_to_human", "conversation_id", conversation, pairs)
            yield Probe("update_conversation", "conversation_id", conversation, (("status", "resolved"), *pairs))
        for change in (("team", "support"), ("assignee", "none"), ("add_labels", ["vip"]), ("priority", "high")):
            yield Probe("update_conversation", "conversation_id", conversation, (change,))
        yield Probe("reply_to_conversation", "conversation_id", conversation, (("template_params", {"name": "x"}),))
    for inbox in (1, 7, 16):
        yield Probe("create_conversation", "inbox_id", inbox, (("contact_id", 1),))
        yield Probe("create_conversation", "inbox_id", inbox, (("source_id", "jane-vip"),))
    for inbox in ("7", "Bandwidth SMS", "VIP API"):
        yield Probe("find_conversations", "inbox", inbox)
        yield Probe("save_contact", "inbox", inbox)
        yield Probe("save_contact", "inbox", inbox, (("contact_id", 1),))
        yield Probe("escalate_to_human", "inbox", inbox, (("contact_id", 1),))
    for contact in (4, TARA, 7):
        yield Probe("find_contacts", "contact_id", contact, (("include", ["inboxes", "conversations"]),))
        yield Probe("find_conversations", "contact_id", contact, (("status", "all"),))
        yield Probe("find_conversations", "contact_id", contact, (("inbox", str(MINE)),))
        yield Probe("find_conversations", "contact_id", contact, inboxes=(MINE, 14))
        yield Probe("save_contact", "contact_id", contact)
        yield Probe("save_contact", "contact_id", contact, (("dry_run", True),))
        yield Probe("escalate_to_human", "contact_id", contact, (("inbox", str(MINE)),))
        yield Probe("create_conversation", "contact_id", contact, (("inbox_id", MINE),))
        yield Probe("create_conversation", "contact_id", contact, (("inbox_id", MINE), ("dry_run", True)))
        yield Probe("create_conversation", "contact_id", contact, (("source_id", "tg-6"),))
        yield Probe("create_conversation", "contact_id", contact, (("inbox_id", 10),), inboxes=(MINE, 9))
    for field, value in (
        ("email", "jane@customers.test"),
        ("phone_number", "+15550001001"),
        ("identifier", "crm-1001"),
        ("query", "Jane Doe"),
        ("query", "jane@customers.test"),
    ):
        yield Probe("find_contacts", field, value, inboxes=(14,))
        if field != "query":
            yield Probe("save_contact", field, value, (("dry_run", True), ("inbox", "14")), inboxes=(14,))
    for source in ("tg-6", "jane-vip", "jane@customers.test"):
        yield Probe("create_conversation", "source_id", source)
        yield Probe("create_conversation", "source_id", source, (("contact_id", 1),))
        yield Probe("create_conversation", "source_id", source, (("contact_id", 1),), inboxes=(MINE, 14))
    yield Probe("find_conversations", "query", "question about my order", inboxes=(14,))
    yield Probe("find_conversations", "query", "question about my order", (("inbox", "14"),), inboxes=(14, 13))


@pytest.mark.parametrize(("version", "token"), CIRCUMSTANCES)
@pytest.mark.parametrize("probe", tuple(probes()), ids=str)
async def test_what_is_hidden_reads_as_what_does_not_exist(probe: Probe, token: str, version: str) -> None:
    said: list[str] = []
    sandbox = Sandbox(chatwoot=version, clock=lambda: 1_800_000_000.0)
    sandbox.store.execute("UPDATE conversations SET team_id = 1 WHERE display_id = 35")  # a bot is answered 500
    for value in (probe.hidden, probe.missing):
        text = await told(limited(sandbox, *probe.inboxes, token=token), probe.tool, probe.arguments(value))
        said.append(re.sub(rf"(?<!\w){re.escape(str(value))}(?!\w)", "#", text))
    changed = [request for request in sandbox.requests if request.method in {"PATCH", "PUT", "DELETE"}]
    sandbox.close()
    assert said[0] == said[1]
    assert changed == []


# --- a canary in all that is hidden -------------------------------------------------------------------------------


def hide(sandbox: Sandbox) -> set[int]:
    """Put a canary into all of account 1 that a caller limited to ``MINE`` must not see. Gives its customers' ids."""
    store = sandbox.store
    known = {int(row["contact_id"]) for row in store.rows("SELECT contact_id FROM contact_inboxes WHERE inbox_id = 2")}
    hidden = {int(row["id"]) for row in store.rows("SELECT id FROM contacts WHERE account_id = 1")} - known
    store.execute("UPDATE inboxes SET name = 'canary inbox ' || id WHERE id <> ?", MINE)
    attributes = json.dumps({"note": "canary"})
    for contact in hidden:
        store.update(
            "contacts",
            contact,
            name=f"canary customer {contact}",
            email=f"hidden{contact}@canary.test",
            custom_attributes=attributes,
            additional_attributes=attributes,
        )
    store.execute("UPDATE contact_inboxes SET source_id = 'canary-' || id WHERE inbox_id <> ?", MINE)
    store.execute("UPDATE messages SET content = 'canary words' WHERE inbox_id <> ?", MINE)
    store.execute("UPDATE conversations SET custom_attributes = ? WHERE inbox_id <> ?", attributes, MINE)
    return hidden


def sweep(hidden: set[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every tool, with every id there is and some there are not."""
    parts = ["account", "inboxes", "agents", "teams", "labels", "custom_attributes", "canned_responses", "templates"]
    yield "get_workspace", {"include": parts}
    for status in ("all", "open", "resolved", "pending", "snoozed"):
        yield "find_conversations", {"status": status, "limit": 25}
        yield "find_conversations", {"status": status, "assignee": "none"}
        yield "find_conversations", {"status": status, "sort": "oldest"}
    for text in ("canary", "words", "e", "customer", "@", "hidden"):
        yield "find_contacts", {"query": text, "limit": 25, "include": ["inboxes", "conversations"]}
        yield "find_conversations", {"query": text, "status": "all"}
    for number in range(1, 45):
        here = {"conversation_id": number}
        yield "get_conversation", here
        yield "find_conversations", {"contact_id": number, "status": "all"}
        yield "find_contacts", {"contact_id": number, "include": ["inboxes", "conversations"]}
        yield "save_contact", {"contact_id": number, "custom_attributes": {"seen": True}}
        yield "escalate_to_human", {"contact_id": number, "inbox": str(MINE), "summary": "x", "dry_run": True}
        yield "create_conversation", {"contact_id": number, "inbox_id": MINE, "response_format": "detailed"}
        for tool in ("reply_to_conversation", "add_private_note"):
            yield tool, {**here, "content": "x"}
        yield "update_conversation", {**here, "priority": "high"}
        yield "escalate_to_human", {**here, "summary": "x"}
    for inbox in range(1, 20):
        for name in (str(inbox), f"canary inbox {inbox}", "canary"):
            yield "find_conversations", {"inbox": name}
            yield "save_contact", {"name": "New", "inbox": name, "dry_run": True}
            yield "escalate_to_human", {"contact_id": 1, "inbox": name, "summary": "x"}
        yield "create_conversation", {"contact_id": 1, "inbox_id": inbox, "response_format": "detailed"}
        yield "create_conversation", {"contact_id": 1, "source_id": f"canary-{inbox}"}
        yield "create_conversation", {"source_id": f"canary-{inbox}"}
    for contact in hidden:
        email = {"email": f"hidden{contact}@canary.test"}
        yield "find_contacts", email
        yield "save_contact", {**email, "name": "Renamed", "inbox": str(MINE)}
        yield "save_contact", {"contact_id": 1, **email}
        yield "escalate_to_human", {**email, "inbox": str(MINE), "summary": "x"}


@pytest.mark.parametrize(("version", "token"), CIRCUMSTANCES)
async def test_no_name_word_or_detail_of_what_is_hidden_comes_out_of_any_tool(token: str, version: str) -> None:
    sandbox = Sandbox(chatwoot=version)
    hidden = hide(sandbox)
    rows = "SELECT * FROM contacts WHERE name LIKE 'canary%'"
    before = sandbox.store.rows(rows)
    bench = limited(sandbox, token=token)
    results = 0
    for tool, arguments in sweep(hidden):
        text = await told(bench, tool, arguments)
        results += text.startswith("{")
        assert "canary" not in text, (tool, arguments)
        assert "known in several" not in text
    assert sandbox.store.rows(rows) == before
    assert sandbox.store.rows("SELECT id FROM messages WHERE inbox_id <> ? AND content = 'x'", MINE) == []
    assert results > (200 if token != "sandbox-bot" else 0)
    sandbox.close()


# --- inboxes --------------------------------------------------------------------------------------------------------


async def test_candidates_are_of_what_is_allowed_and_the_limit_is_named(sandbox: Sandbox) -> None:
    failure = await limited(sandbox, 3, 15).refused("find_conversations", inbox="Bandwidth SMS")
    assert (failure.code, failure.text) == (
        "not_found",
        "Nothing was done: nothing matches `inbox`. There are: 3 (Support Email), 15 (VIP Email). Inboxes allowed by "
        "CHATWOOT_MCP_ALLOWED_INBOXES: 3, 15.",
    )
    sandbox.store.execute("UPDATE inboxes SET name = 'Same'")
    failure = await limited(sandbox, 3, 15).refused("find_conversations", inbox="same")
    assert (failure.code, "Give the id of one: 3 (Same), 15 (Same)." in failure.text) == ("ambiguous_name", True)


async def test_a_source_id_is_known_in_allowed_inboxes_alone(sandbox: Sandbox) -> None:
    given = {"contact_id": 1, "source_id": "jane@customers.test", "dry_run": True}
    opened = await limited(sandbox, 3, 16).call("create_conversation", **given)
    assert opened["request"]["body"]["inbox_id"] == 3


async def test_an_inbox_that_the_server_allows_to_others_reads_as_one_that_it_does_not(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    key = GrantsFile(tmp_path / "callers.json").add(Grant(name="desk", inboxes=frozenset({3})))
    async with (
        web_app(sandbox, callers_file=str(tmp_path / "callers.json"), allowed_inboxes="3,4") as app,
        client_of(app, authorization=f"Bearer {key}") as client,
    ):
        for arguments in ({"contact_id": 1}, {"source_id": "x"}):
            said = [
                await client.call_tool("create_conversation", {"inbox_id": inbox, **arguments})
                for inbox in (4, 5, MISSING)
            ]
            [block] = {
                text
                for each in said
                for block in each.content
                if isinstance(block, types.TextContent)
                for text in [block.text]
            }
            assert "the limit `inboxes` of the caller's key or subject: 3." in block
        failed = await client.call_tool("get_conversation", {"conversation_id": 3})
    assert isinstance(failed.content[0], types.TextContent)
    assert failed.content[0].text.endswith(
        "Inboxes allowed by CHATWOOT_MCP_ALLOWED_INBOXES and the limit `inboxes` of the caller's key or subject: 3."
    )


async def test_a_cursor_does_not_tell_how_many_are_hidden(sandbox: Sandbox) -> None:
    """One inbox here, two there, the same conversations: what lies between them is in no cursor."""
    cursors: list[str] = []
    for others in (True, False):
        bench = limited(sandbox, MINE, 14)
        if not others:
            sandbox.store.execute("DELETE FROM conversations WHERE inbox_id <> ?", MINE)
        for asked in ({"status": "all"}, {"status": "all", "sort": "oldest"}, {"status": "all", "assignee": "none"}):
            page = await bench.call("find_conversations", limit=2, **asked)
            assert len(page["conversations"]) == 2
            assert "total" not in page
            cursors.append(page["next_cursor"])
    assert cursors[:3] == cursors[3:]


async def test_words_are_looked_for_in_one_inbox_at_a_time(sandbox: Sandbox) -> None:
    """Where a hit lies among hidden ones would tell which words those hold."""
    bench = limited(sandbox, MINE, 14)
    failure = await bench.refused("find_conversations", query="order")
    assert (failure.code, failure.field) == ("invalid_arguments", "inbox")
    assert (await bench.call("find_conversations", query="order", inbox=str(MINE)))["conversations"]
    assert (await limited(sandbox).call("find_conversations", query="order"))["conversations"]


# --- customers ------------------------------------------------------------------------------------------------------


async def test_a_customer_of_hidden_inboxes_alone_is_neither_read_nor_renamed(sandbox: Sandbox) -> None:
    bench = limited(sandbox)
    for asked in ({"contact_id": TARA}, {"email": "tara@customers.test"}, {"query": "Tara"}):
        assert (await bench.call("find_contacts", **asked))["contacts"] == []
    failure = await bench.refused("save_contact", contact_id=TARA, name="Renamed")
    assert (failure.code, failure.field) == ("not_found", "contact_id")
    assert "Inboxes allowed by CHATWOOT_MCP_ALLOWED_INBOXES: 2." in failure.text
    await bench.refused("save_contact", email="tara@customers.test", name="Renamed", inbox=str(MINE))
    row = sandbox.store.row("SELECT name FROM contacts WHERE id = ?", TARA)
    assert row == {"name": "Tara Telegram"}


async def test_an_identity_or_a_conversation_in_an_allowed_inbox_shows_a_customer(sandbox: Sandbox) -> None:
    by_identity = await limited(sandbox, 16).call("find_contacts", query="Jane")
    assert [contact["id"] for contact in by_identity["contacts"]] == [1]
    sandbox.store.execute("DELETE FROM contact_inboxes WHERE inbox_id = 7")  # as where another contact took it over
    [row] = sandbox.store.rows("SELECT contact_id FROM conversations WHERE display_id = 3")
    by_conversation = await limited(sandbox, 7).call("find_contacts", contact_id=row["contact_id"])
    assert [contact["id"] for contact in by_conversation["contacts"]] == [row["contact_id"]]
    saved = await limited(sandbox, 7).call("save_contact", contact_id=row["contact_id"], name="Renamed")
    assert saved["outcome"] == "updated"


async def test_hidden_customers_before_the_one_that_is_shown_take_no_page(sandbox: Sandbox) -> None:
    found = await limited(sandbox, 10).call("find_contacts", query="customers.test", limit=1)
    assert ([contact["id"] for contact in found["contacts"]], "total" in found) == ([TARA], False)
    last = 30
    sandbox.store.execute("UPDATE contact_inboxes SET contact_id = ? WHERE contact_id = ?", last, TARA)
    found = await limited(sandbox, 10).call("find_contacts", query="customers.test")
    assert [contact["id"] for contact in found["contacts"]] == [last]


async def test_a_detail_that_a_hidden_customer_has_is_refused_without_saying_whose_it_is(sandbox: Sandbox) -> None:
    bench = limited(sandbox)
    for arguments in ({"name": "New", "inbox": str(MINE)}, {"contact_id": 1}):
        failure = await bench.refused("save_contact", email="tara@customers.test", **arguments)
        assert (failure.code, failure.field, failure.text) == (
            "rejected",
            "email",
            "Nothing was written: email belong to a contact that may not be used here. Use another value. Inboxes "
            "allowed by CHATWOOT_MCP_ALLOWED_INBOXES: 2.",
        )


async def test_of_several_owners_of_a_detail_only_the_shown_ones_count(sandbox: Sandbox) -> None:
    saved = await limited(sandbox).call(
        "save_contact", email="jane@customers.test", identifier="crm-1001", name="Jane", dry_run=True
    )
    assert saved["contact"]["id"] == 1
    failure = await limited(sandbox).refused(
        "save_contact", email="jane@customers.test", phone_number="+15550001003", name="Jane"
    )
    assert (failure.field, "may not be used here" in failure.text) == ("phone_number", True)


async def test_who_a_limited_caller_makes_is_known_in_an_allowed_inbox_and_so_seen_by_any_process(
    sandbox: Sandbox,
) -> None:
    new = {"name": "New", "email": "new@customers.test"}
    refused = await limited(sandbox, MINE, 10).refused("save_contact", **new)
    assert (refused.code, refused.field) == ("not_allowed", "inbox")
    refused = await limited(sandbox, MINE, 10).refused("save_contact", **new, inbox="Telegram")
    assert (refused.code, refused.field) == ("not_allowed", "inbox")
    assert sandbox.store.rows("SELECT id FROM contacts WHERE email = 'new@customers.test'") == []
    shown = await limited(sandbox).call("save_contact", **new, inbox=str(MINE), dry_run=True)
    assert [request["body"] for request in shown["requests"]] == [{**new, "inbox_id": MINE}]
    made = await limited(sandbox).call("save_contact", **new, inbox=str(MINE))
    [identity] = made["contact"]["inboxes"]
    assert (made["outcome"], identity["inbox_id"], identity["source_id"]) == ("created", MINE, made["source_id"])
    [found] = (await limited(sandbox).call("find_contacts", email="new@customers.test"))["contacts"]
    changed = await limited(sandbox).call("save_contact", contact_id=found["id"], name="Newer")
    assert (changed["outcome"], changed["contact"]["id"]) == ("updated", made["contact"]["id"])


async def test_a_limited_handover_of_a_new_customer_that_was_cut_is_finished_by_the_same_call(
    sandbox: Sandbox,
) -> None:
    """The customer is made inside the inbox: else the second call could not see the one that the first made."""
    asked = {"email": "new@customers.test", "inbox": str(MINE), "summary": "Please."}
    sandbox.faults.add(Fault("status", status=422, method="POST", path="/conversations$"))
    await limited(sandbox).refused("escalate_to_human", **asked)
    handed = await limited(sandbox).call("escalate_to_human", **asked)
    assert handed["complete"] is True
    assert [step["status"] for step in handed["steps"]][:2] == ["already_done", "done"]


async def test_who_a_wider_caller_saved_with_the_same_key_is_not_shown_to_a_limited_one(sandbox: Sandbox) -> None:
    asked = {"name": "New", "inbox": str(MINE), "idempotency_key": "k"}
    wide = Bench(sandbox, policy=Policy(default_account=1))
    made = await wide.call("save_contact", **asked)
    sandbox.store.execute("DELETE FROM contact_inboxes WHERE contact_id = ?", made["contact"]["id"])
    failure = await limited(sandbox).refused("save_contact", **asked)
    assert (failure.code, failure.field) == ("not_found", "idempotency_key")
    assert len(sandbox.store.rows("SELECT id FROM contacts WHERE name = 'New'")) == 1


async def test_a_bot_that_is_limited_opens_nothing_as_it_is_shown_no_customer(sandbox: Sandbox) -> None:
    bench = limited(sandbox, token="sandbox-bot")
    failure = await bench.refused("create_conversation", inbox_id=MINE, contact_id=1)
    assert (failure.code, failure.field, bench.writes) == ("bot_not_allowed", "contact_id", [])


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
async def test_a_limited_create_whose_answer_is_lost_is_told_as_it_is(sandbox: Sandbox, kind: Any) -> None:
    sandbox.faults.add(Fault(kind, method="POST", path="/contacts$"))
    new = {"email": "new@customers.test", "inbox": str(MINE)}
    there = kind == "cut_after"
    text = await told(limited(sandbox), "save_contact", new)
    assert ('"outcome": "recovered"' in text) is there
    assert len(sandbox.store.rows("SELECT id FROM contacts WHERE email = 'new@customers.test'")) == there
