"""The tools that write into a conversation or save a contact: checked, sent once, found again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench, Interrupted

REPLY: Final[dict[str, Any]] = {"conversation_id": 4, "content": "It is on its way."}
MESSAGE: Final[dict[str, Any]] = {"method": "POST", "path": "/messages$"}
CONTACT: Final[dict[str, Any]] = {"method": "POST", "path": "/contacts$"}
CHANGE: Final[dict[str, Any]] = {"method": "PATCH", "path": "/contacts/1$"}
both = pytest.mark.parametrize("tool", ["reply_to_conversation", "add_private_note"])


# --- replies and notes ---


async def test_a_reply_reaches_the_customer_and_a_note_does_not(bench: Bench) -> None:
    reply = await bench.call("reply_to_conversation", **REPLY)
    note = await bench.call("add_private_note", conversation_id=4, content="Keep an eye on it.")
    assert (reply["outcome"], reply["message"]["private"], reply["conversation_id"]) == ("sent", False, 4)
    assert (note["outcome"], note["message"]["private"]) == ("sent", True)
    assert bench.messages(4)[-2:] == ["It is on its way.", "Keep an eye on it."]


async def test_agents_are_mentioned_by_name(bench: Bench) -> None:
    result = await bench.call("add_private_note", conversation_id=4, content="See this", mentions=["Bob Agent", 3])
    assert result["message"]["content"] == (
        "See this\n\n[@Bob Agent](mention://user/2/Bob%20Agent) [@Carla Agent](mention://user/3/Carla%20Agent)"
    )
    failure = await bench.refused("add_private_note", conversation_id=4, content="x", mentions=["Nobody"])
    assert (failure.code, failure.field) == ("not_found", "mentions")


async def test_a_template_is_checked_against_the_inbox_and_sent(bench: Bench) -> None:
    opened = await bench.call(inbox_id=4, contact_id=1)
    target = {"conversation_id": opened["conversation"]["id"]}
    sent = await bench.call("reply_to_conversation", **target, template_params={"name": "welcome", "language": "en_us"})
    assert sent["outcome"] == "sent"
    failure = await bench.refused("reply_to_conversation", **target, template_params={"name": "nosuch"})
    assert (failure.code, failure.field) == ("template_invalid", "template_params.name")


async def test_outside_the_reply_window_templates_are_proposed_and_nothing_is_sent(bench: Bench) -> None:
    opened = await bench.call(inbox_id=4, contact_id=1)
    bench.sandbox.requests.clear()
    failure = await bench.refused(
        "reply_to_conversation", conversation_id=opened["conversation"]["id"], content="Hello"
    )
    assert (failure.code, failure.field) == ("template_invalid", "template_params")
    assert "order_update, promo_image, welcome" in failure.text
    assert "POST" not in {method for method, _ in bench.requests}


async def test_liquid_is_warned_about_before_and_after(bench: Bench) -> None:
    liquid: dict[str, Any] = {"conversation_id": 4, "content": "Hello {{contact.name}}"}
    [before] = (await bench.call("reply_to_conversation", **liquid, dry_run=True))["warnings"]
    result = await bench.call("reply_to_conversation", **liquid)
    assert "Liquid" in before
    assert result["warnings"] == [before, "Chatwoot changed the text: message.content shows what was sent."]
    assert "{{" not in result["message"]["content"]


async def test_a_reply_into_a_resolved_conversation_says_that_it_stays_resolved(bench: Bench) -> None:
    await bench.call("update_conversation", conversation_id=4, status="resolved")
    assert "resolved" in (await bench.call("reply_to_conversation", **REPLY))["warnings"][0]


@both
async def test_a_dry_run_shows_the_request(bench: Bench, tool: str) -> None:
    result = await bench.call(tool, **REPLY, dry_run=True)
    assert result["outcome"] == "dry_run"
    assert result["request"]["path"] == "/api/v1/accounts/1/conversations/4/messages"
    assert {method for method, _ in bench.requests} == {"GET"}


@both
@pytest.mark.parametrize("fault", ["status_after", "cut_after", "oversized", "broken"])
async def test_a_message_whose_answer_was_lost_is_found(bench: Bench, tool: str, fault: Any) -> None:
    bench.sandbox.faults.add(Fault(fault, **MESSAGE))
    result = await bench.call(tool, **REPLY)
    assert result["outcome"] == "recovered"
    assert bench.messages(4).count("It is on its way.") == 1


@both
@pytest.mark.parametrize("fault", [Fault("cut_before", **MESSAGE), Fault("status", status=500, **MESSAGE)])
async def test_a_message_that_surely_was_not_sent_may_be_sent_again(bench: Bench, tool: str, fault: Fault) -> None:
    bench.sandbox.faults.add(fault)
    failure = await bench.refused(tool, **REPLY)
    assert (failure.code, failure.retryable) == ("chatwoot_error", True)
    assert bench.messages(4).count("It is on its way.") == 0


@both
async def test_when_nobody_can_tell_it_is_said(bench: Bench, tool: str) -> None:
    """The key is called safe only once an answer has shown that this Chatwoot keeps marks."""
    for is_known in (False, True):
        bench.sandbox.faults.add(Fault("status", status=504, **MESSAGE))
        failure = await bench.refused(tool, **REPLY, idempotency_key="k")
        assert (failure.code, failure.retryable) == ("outcome_unknown", False)
        assert ("same idempotency_key" in failure.text) is is_known
        await bench.call(tool, conversation_id=4, content="Another")


@both
async def test_an_older_message_of_the_same_words_is_not_taken_for_ours(bench: Bench, tool: str) -> None:
    await bench.call(tool, **REPLY)
    bench.sandbox.faults.add(Fault("cut_before", **MESSAGE))
    assert (await bench.refused(tool, **REPLY)).code == "chatwoot_error"


@both
async def test_the_same_key_sends_once_in_one_process_in_another_and_at_the_same_time(
    sandbox: Sandbox, tool: str
) -> None:
    bench = Bench(sandbox)
    results = await asyncio.gather(*(bench.call(tool, **REPLY, idempotency_key="k") for _ in range(5)))
    assert sorted(result["outcome"] for result in results) == ["already_sent"] * 4 + ["sent"]
    assert (await Bench(sandbox).call(tool, **REPLY, idempotency_key="k"))["outcome"] == "already_sent"
    assert bench.messages(4).count("It is on its way.") == 1
    failure = await Bench(sandbox).refused(tool, conversation_id=4, content="Other", idempotency_key="k")
    assert (failure.code, failure.field) == ("idempotency_conflict", "idempotency_key")


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "field"),
    [
        ("reply_to_conversation", {"conversation_id": 4}, "invalid_arguments", "content"),
        ("reply_to_conversation", {"conversation_id": 4, "content": " "}, "invalid_arguments", "content"),
        ("reply_to_conversation", {"conversation_id": 20, "content": "x"}, "not_found", "conversation_id"),
        ("add_private_note", {"conversation_id": 4}, "invalid_arguments", "content"),
        ("add_private_note", {"conversation_id": 20, "content": "x"}, "not_found", "conversation_id"),
        ("add_private_note", {"conversation_id": 4, "contents": "x"}, "invalid_arguments", "content"),
    ],
)
async def test_what_is_wrong_is_not_sent(
    bench: Bench, tool: str, arguments: dict[str, Any], code: str, field: str
) -> None:
    failure = await bench.refused(tool, **arguments)
    assert (failure.code, failure.field) == (code, field)
    assert {record.status for record in bench.sandbox.requests if record.method == "POST"} <= {404}


# --- attachments ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "invoice.pdf").write_bytes(b"%PDF-1.7 invoice")
    (tmp_path / "secret.txt").write_text("canary", encoding="utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder.resolve()


async def test_a_file_of_the_allowed_folder_is_sent_along_and_found_again(sandbox: Sandbox, folder: Path) -> None:
    bench = Bench(sandbox, policy=Policy(attachments_dir=folder))
    sent = await bench.call("reply_to_conversation", **REPLY, attachments=["invoice.pdf"])
    assert sent["outcome"] == "sent"
    read = await bench.call("get_conversation", conversation_id=4, limit=1)
    [attachment] = read["messages"][0]["attachments"]
    assert (attachment["type"], attachment["url"].endswith("/invoice.pdf")) == ("file", True)
    before = len(bench.messages(4))
    keyed: dict[str, Any] = {"conversation_id": 4, "attachments": "invoice.pdf", "idempotency_key": "k"}
    outcomes = [(await bench.call("reply_to_conversation", **keyed))["outcome"] for _ in range(2)]
    assert (outcomes, len(bench.messages(4))) == (["sent", "already_sent"], before + 1)
    sandbox.faults.add(Fault("cut_after", **MESSAGE))
    lost = await bench.call("reply_to_conversation", conversation_id=4, attachments=["invoice.pdf"])
    assert lost["outcome"] == "recovered"
    dry = await bench.call("reply_to_conversation", conversation_id=4, attachments=["invoice.pdf"], dry_run=True)
    assert dry["request"]["body"]["attachments[]"] == ["invoice.pdf"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("nosuch.pdf", "not_found"),
        (".", "not_found"),
        ("../secret.txt", "not_allowed"),
        ("link.txt", "not_allowed"),
        ("/etc/hostname", "not_allowed"),
        ("x" * 255, "not_found"),
    ],
)
async def test_no_other_file_is_sent(sandbox: Sandbox, folder: Path, name: str, code: str) -> None:
    bench = Bench(sandbox, policy=Policy(attachments_dir=folder))
    failure = await bench.refused("reply_to_conversation", **REPLY, attachments=[name])
    assert (failure.code, failure.field) == (code, "attachments")
    assert {method for method, _ in bench.requests} == {"GET"}


async def test_without_the_setting_no_file_is_sent(bench: Bench) -> None:
    failure = await bench.refused("reply_to_conversation", **REPLY, attachments=["invoice.pdf"])
    assert failure.code == "not_allowed"
    assert "CHATWOOT_MCP_ATTACHMENTS_DIR" in failure.text


# --- contacts ---


NORA: Final[dict[str, Any]] = {"name": "Nora New", "email": "Nora@Customers.test", "phone_number": "+1 555 123 4567"}


def contacts(bench: Bench) -> int:
    return len(bench.sandbox.store.rows("SELECT id FROM contacts"))


async def test_a_contact_is_created_then_unchanged_then_updated(bench: Bench) -> None:
    before = contacts(bench)
    created = await bench.call("save_contact", **NORA, custom_attributes={"tier": "gold"}, inbox="Help Desk API")
    assert (created["outcome"], created["not_applied"]) == ("created", [])
    assert (created["contact"]["email"], created["contact"]["phone_number"]) == ("nora@customers.test", "+15551234567")
    assert created["source_id"]
    again = await bench.call("save_contact", **NORA)
    assert (again["outcome"], again["contact"]["id"]) == ("unchanged", created["contact"]["id"])
    updated = await bench.call(
        "save_contact", email=NORA["email"], name="Nora Older", custom_attributes={"plan": "pro"}
    )
    assert (updated["outcome"], updated["contact"]["name"]) == ("updated", "Nora Older")
    assert updated["contact"]["custom_attributes"] == {"tier": "gold", "plan": "pro"}
    assert contacts(bench) == before + 1


async def test_only_what_differs_is_sent(bench: Bench) -> None:
    await bench.call("save_contact", email="jane@customers.test", name="Jane Doe", identifier="crm-2002")
    [sent] = [record.body for record in bench.sandbox.requests if record.method == "PATCH"]
    assert sent == {"identifier": "crm-2002"}


async def test_a_value_that_another_has_is_refused_with_whose_it_is(bench: Bench) -> None:
    failure = await bench.refused("save_contact", contact_id=2, phone_number="+15550001001")
    assert (failure.code, failure.field) == ("rejected", "phone_number")
    assert "contact 1" in failure.text


async def test_values_of_two_contacts_are_not_mixed_up(bench: Bench) -> None:
    failure = await bench.refused("save_contact", email="jane@customers.test", phone_number="+15550001003")
    assert failure.code == "ambiguous_name"
    assert "1 (email)" in failure.text
    assert "3 (phone_number)" in failure.text


@pytest.mark.parametrize("fault", ["status_after", "cut_after", "broken"])
async def test_a_contact_whose_answer_was_lost_is_found(bench: Bench, fault: Any) -> None:
    before = contacts(bench)
    bench.sandbox.faults.add(Fault(fault, **CONTACT))
    result = await bench.call("save_contact", **NORA)
    assert (result["outcome"], contacts(bench)) == ("recovered", before + 1)
    assert "found again" in result["warnings"][0]
    bench.sandbox.faults.add(Fault(fault, **CHANGE))
    assert (await bench.call("save_contact", contact_id=1, name="Jane D."))["outcome"] == "recovered"


async def test_a_contact_that_surely_was_not_saved_may_be_saved_again(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", status=500, **CONTACT))
    assert (await bench.refused("save_contact", **NORA)).code == "chatwoot_error"
    bench.sandbox.faults.add(Fault("cut_before", **CHANGE))
    assert (await bench.refused("save_contact", contact_id=1, name="J")).code == "chatwoot_error"


async def test_a_contact_without_a_unique_value_is_known_by_its_stamp(sandbox: Sandbox) -> None:
    bench = Bench(sandbox)
    before = contacts(bench)
    sandbox.faults.add(Fault("cut_after", **CONTACT))
    first = await bench.call("save_contact", name="Somebody", idempotency_key="k")
    again = await Bench(sandbox).call("save_contact", name="Somebody", idempotency_key="k")
    assert (first["outcome"], again["outcome"]) == ("recovered", "unchanged")
    assert again["contact"] == first["contact"]
    assert "additional_attributes" not in again["contact"]
    assert contacts(bench) == before + 1
    other = await Bench(sandbox).refused(
        "save_contact", name="Somebody", identifier=None, custom_attributes={"a": 1}, idempotency_key="k"
    )
    assert other.code == "idempotency_conflict"


async def test_somebody_elses_contact_with_the_same_address_is_not_said_to_be_ours(sandbox: Sandbox) -> None:
    bench = Interrupted(sandbox)
    bench.meanwhile = lambda: Bench(sandbox, "sandbox-agent").call("save_contact", email="n@c.test", name="Nell")
    sandbox.faults.add(Fault("cut_before", **CONTACT))
    assert (await bench.refused("save_contact", email="n@c.test", name="Nora")).code == "outcome_unknown"


async def test_what_a_key_saved_is_not_written_again_over_what_was_changed_since(bench: Bench) -> None:
    keyed: dict[str, Any] = {**NORA, "idempotency_key": "k"}
    first = await bench.call("save_contact", **keyed)
    await bench.call("save_contact", contact_id=first["contact"]["id"], name="Nora Newname")
    bench.sandbox.requests.clear()
    dry = await bench.call("save_contact", **keyed, dry_run=True)
    again = await bench.call("save_contact", **keyed)
    assert (dry["requests"], again["outcome"], again["contact"]["name"]) == ([], "unchanged", "Nora Newname")
    [entry] = again["not_applied"]
    assert (entry["field"], "Nothing was written again" in entry["reason"]) == ("name", True)
    assert {method for method, _ in bench.requests} == {"GET"}


async def test_without_stamps_and_a_unique_value_a_lost_answer_stays_unknown(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(stamp=False))
    sandbox.faults.add(Fault("cut_after", **CONTACT))
    assert (await bench.refused("save_contact", name="Somebody")).code == "outcome_unknown"
    kept = await bench.call("save_contact", name="Else", idempotency_key="k")
    assert "CHATWOOT_MCP_STAMP" in kept["warnings"][0]


async def test_equal_keys_at_once_save_one_contact(bench: Bench) -> None:
    before = contacts(bench)
    calls = [bench.call("save_contact", name="Somebody", idempotency_key="k") for _ in range(10)]
    results = await asyncio.gather(*calls)
    assert len({result["contact"]["id"] for result in results}) == 1
    assert contacts(bench) == before + 1
    failure = await bench.refused("save_contact", name="Else", idempotency_key="k")
    assert failure.code == "idempotency_conflict"


async def test_a_dry_run_saves_nothing(bench: Bench) -> None:
    before = contacts(bench)
    new = await bench.call("save_contact", **NORA, dry_run=True)
    known = await bench.call("save_contact", email="jane@customers.test", name="J", dry_run=True)
    assert [request["method"] for request in (*new["requests"], *known["requests"])] == ["POST", "PATCH"]
    assert contacts(bench) == before


async def test_an_inbox_where_no_identity_can_be_made_is_a_warning(bench: Bench) -> None:
    result = await bench.call("save_contact", contact_id=1, inbox="Facebook")
    assert (result["outcome"], "source_id" in result) == ("unchanged", False)
    assert "no source_id" in result["warnings"][0]


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({}, "invalid_arguments", "name"),
        ({"email": "not one"}, "invalid_arguments", "email"),
        ({"phone_number": "0049 89 1234"}, "invalid_arguments", "phone_number"),
        ({"contact_id": 999, "name": "x"}, "not_found", "contact_id"),
        ({"contact_id": 1, "custom_attributes": "x"}, "invalid_arguments", "custom_attributes"),
        ({"contact_id": 1, "inbox": "nosuch"}, "not_found", "inbox"),
    ],
)
async def test_what_is_wrong_is_not_saved(bench: Bench, arguments: dict[str, Any], code: str, field: str) -> None:
    failure = await bench.refused("save_contact", **arguments)
    assert (failure.code, failure.field) == (code, field)
    assert {method for method, _ in bench.requests} <= {"GET"}
