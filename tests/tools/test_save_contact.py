"""Keys, dry runs and source ids of ``save_contact``: what was saved once stays as others left it, and what is said of
an identity in an inbox is what is known of it."""

from __future__ import annotations

from typing import Any, Final

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from support import Bench
from tools.test_who_gets_it import colleague

NORA: Final[dict[str, Any]] = {"name": "Nora New", "email": "nora@customers.test"}
KNOWN: Final[dict[str, dict[str, Any]]] = {
    "e-mail": {"email": "jane@customers.test"},
    "phone number": {"phone_number": "+15550001001"},
    "identifier": {"identifier": "crm-1001"},
    "id": {"contact_id": 1},
}
LINK: Final[dict[str, Any]] = {"method": "POST", "path": "/contact_inboxes$"}


def contacts(sandbox: Sandbox) -> int:
    return len(sandbox.store.rows("SELECT id FROM contacts"))


def links(sandbox: Sandbox, contact_id: int, inbox_id: int) -> list[str]:
    query = "SELECT source_id FROM contact_inboxes WHERE contact_id = ? AND inbox_id = ?"
    return [row["source_id"] for row in sandbox.store.rows(query, contact_id, inbox_id)]


# --- keys in another process ---


@pytest.mark.parametrize("by", KNOWN)
@pytest.mark.parametrize("version", ["3.16", "4.7", "4.15"])
async def test_another_process_does_not_write_a_keys_values_over_a_colleagues(by: str, version: str) -> None:
    sandbox = Sandbox(chatwoot=version)
    sandbox.store.execute("UPDATE contacts SET identifier = 'crm-1001' WHERE id = 1")
    keyed = {**KNOWN[by], "name": "Jane Saved", "idempotency_key": "k"}
    assert (await Bench(sandbox).call("save_contact", **keyed))["outcome"] == "updated"
    await colleague(sandbox, "PATCH", "/contacts/1", {"name": "Jane Corrected"})
    sandbox.requests.clear()
    again = await Bench(sandbox).call("save_contact", **keyed)
    assert (again["outcome"], again["contact"]["name"]) == ("unchanged", "Jane Corrected")
    assert [(entry["field"], entry["actual"]) for entry in again["not_applied"]] == [("name", "Jane Corrected")]
    assert "warnings" not in again
    assert {record.method for record in sandbox.requests if not record.path.endswith("/filter")} <= {"GET"}
    sandbox.close()


@pytest.mark.parametrize("by", KNOWN)
async def test_another_process_refuses_a_key_with_other_arguments(sandbox: Sandbox, by: str) -> None:
    sandbox.store.execute("UPDATE contacts SET identifier = 'crm-1001' WHERE id = 1")
    await Bench(sandbox).call("save_contact", **KNOWN[by], name="Jane Saved", idempotency_key="k")
    for other in ({"name": "Else"}, {"name": "Jane Saved", "inbox": "Help Desk API"}):
        failure = await Bench(sandbox).refused("save_contact", **KNOWN[by], **other, idempotency_key="k")
        assert (failure.code, failure.field) == ("idempotency_conflict", "idempotency_key")


async def test_one_process_refuses_a_key_for_another_contact(bench: Bench) -> None:
    await bench.call("save_contact", contact_id=1, name="Same", idempotency_key="k")
    failure = await bench.refused("save_contact", contact_id=2, name="Same", idempotency_key="k")
    assert failure.code == "idempotency_conflict"


async def test_a_key_that_found_nothing_to_change_is_used_all_the_same(sandbox: Sandbox) -> None:
    keyed = {"email": "jane@customers.test", "name": "Jane Doe", "idempotency_key": "k"}
    assert (await Bench(sandbox).call("save_contact", **keyed))["outcome"] == "unchanged"
    await colleague(sandbox, "PATCH", "/contacts/1", {"name": "Jane Corrected"})
    assert (await Bench(sandbox).call("save_contact", **keyed))["contact"]["name"] == "Jane Corrected"


async def test_a_contact_whose_address_a_colleague_corrected_is_found_by_its_name(sandbox: Sandbox) -> None:
    keyed = {**NORA, "idempotency_key": "k"}
    made = await Bench(sandbox).call("save_contact", **keyed)
    await colleague(sandbox, "PATCH", f"/contacts/{made['contact']['id']}", {"email": "n.new@customers.test"})
    there = contacts(sandbox)
    again = await Bench(sandbox).call("save_contact", **keyed)
    assert (again["outcome"], again["contact"]["email"]) == ("unchanged", "n.new@customers.test")
    assert contacts(sandbox) == there


async def test_a_contact_keeps_the_marks_of_ten_keys_and_shows_none(sandbox: Sandbox) -> None:
    bench = Bench(sandbox)
    for number in range(11):
        await bench.call("save_contact", contact_id=1, name=f"Jane {number}", idempotency_key=f"k{number}")
    for number, outcome in ((1, "unchanged"), (10, "unchanged"), (0, "updated")):
        again = await Bench(sandbox).call(
            "save_contact", contact_id=1, name=f"Jane {number}", idempotency_key=f"k{number}"
        )
        assert (again["outcome"], "chatwoot_mcp" in str(again["contact"])) == (outcome, False)


@pytest.mark.parametrize("by", ["id", "e-mail"])
async def test_without_stamps_it_is_said_that_a_key_holds_in_one_process(sandbox: Sandbox, by: str) -> None:
    bench = Bench(sandbox, policy=Policy(stamp=False))
    [warning] = (await bench.call("save_contact", **KNOWN[by], name="J", idempotency_key="k"))["warnings"]
    assert "within this server process, because CHATWOOT_MCP_STAMP is off" in warning


@pytest.mark.parametrize("version", ["3.16", "4.0", "4.7", "4.15"])
async def test_attributes_that_are_there_stay_on_every_chatwoot(version: str) -> None:
    sandbox = Sandbox(chatwoot=version)
    bench = Bench(sandbox)
    made = await bench.call("save_contact", **NORA, additional_attributes={"city": "Lisbon"})
    saved = await bench.call("save_contact", email=NORA["email"], additional_attributes={"country_code": "PT"})
    assert (made["outcome"], saved["outcome"]) == ("created", "updated")
    assert saved["contact"]["additional_attributes"] == {"city": "Lisbon", "country_code": "PT"}
    sandbox.close()


@pytest.mark.parametrize("field", ["custom_attributes", "additional_attributes"])
async def test_an_attribute_that_only_python_calls_equal_is_written(bench: Bench, field: str) -> None:
    await bench.call("save_contact", contact_id=1, **{field: {"vip": 1}})
    saved = await bench.call("save_contact", contact_id=1, **{field: {"vip": True}})
    assert (saved["outcome"], saved["contact"][field]["vip"] is True) == ("updated", True)


async def test_our_own_attribute_is_not_for_callers(bench: Bench) -> None:
    failure = await bench.refused("save_contact", contact_id=1, additional_attributes={"chatwoot_mcp": "x"})
    assert (failure.code, failure.field) == ("invalid_arguments", "additional_attributes.chatwoot_mcp")


# --- dry runs ---


@pytest.mark.parametrize(
    "arguments",
    [
        {**NORA, "inbox": "Help Desk API", "idempotency_key": "k"},
        {"name": "Somebody", "idempotency_key": "k"},
        {"name": "Somebody", "inbox": "Help Desk API"},
        {**NORA, "phone_number": "+15551234567", "inbox": "WhatsApp"},
        {**NORA, "inbox": "WhatsApp"},
        {"contact_id": 2, "name": "Renamed", "inbox": "Help Desk API", "additional_attributes": {"city": "Lisbon"}},
        {"contact_id": 1, "name": "Jane Doe", "idempotency_key": "k"},
        {"contact_id": 1, "inbox": "Facebook"},
        {"contact_id": 1, "inbox": "Help Desk API"},
    ],
)
async def test_a_dry_run_shows_every_request_that_the_call_then_sends(
    sandbox: Sandbox, arguments: dict[str, Any]
) -> None:
    dry = await Bench(sandbox).call("save_contact", **arguments, dry_run=True)
    looks = {record.path for record in sandbox.requests if record.method != "GET"}
    assert looks <= {"/api/v1/accounts/1/contacts/filter"}
    sandbox.requests.clear()
    done = await Bench(sandbox).call("save_contact", **arguments)
    sent: list[dict[str, Any]] = [
        {"method": each.method, "path": each.path, "body": each.body}
        for each in sandbox.requests
        if each.method != "GET" and each.path not in looks
    ]
    planned = dry["requests"]
    for request in planned:
        request["path"] = request["path"].replace("{contact_id}", str(done["contact"]["id"]))
    if "idempotency_key" not in arguments and arguments.get("name") == "Somebody":
        for request in (planned[0], sent[0]):  # without a key each call has a mark of its own
            assert request["body"]["additional_attributes"].pop("chatwoot_mcp")
    assert planned == sent
    assert dry.get("warnings") == done.get("warnings")


async def test_a_dry_run_of_a_key_that_was_used_shows_what_is_left_to_do(sandbox: Sandbox) -> None:
    keyed = {"contact_id": 2, "name": "Renamed", "inbox": "Help Desk API", "idempotency_key": "k"}
    sandbox.faults.add(Fault("status", status=429, times=9, **LINK))
    await Bench(sandbox).call("save_contact", **keyed)
    sandbox.faults.clear()
    dry = await Bench(sandbox).call("save_contact", **keyed, dry_run=True)
    path = "/api/v1/accounts/1/contacts/2/contact_inboxes"
    assert dry["requests"] == [{"method": "POST", "path": path, "body": {"inbox_id": 2}}]


# --- the identity in an inbox ---


async def into_the_inbox(bench: Bench, **whom: Any) -> tuple[str | None, str]:
    result = await bench.call("save_contact", **(whom or {"contact_id": 2}), inbox="Help Desk API")
    return result.get("source_id"), " ".join(result.get("warnings", []))


@pytest.mark.parametrize("kind", ["cut_after", "status_after", "broken"])
async def test_an_identity_whose_answer_was_lost_is_found(bench: Bench, kind: Any) -> None:
    bench.sandbox.faults.add(Fault(kind, **LINK))
    assert await into_the_inbox(bench) == (links(bench.sandbox, 2, 2)[0], "")


@pytest.mark.parametrize("kind", ["cut_after", "cut_before", "status_after", "status"])
async def test_where_no_look_tells_it_is_not_known_whether_an_identity_was_made(bench: Bench, kind: Any) -> None:
    bench.sandbox.faults.add(Fault(kind, status=500, **LINK))
    bench.sandbox.faults.add(Fault("status", status=503, method="GET", path="/contacts/2$", times=99))
    email = bench.sandbox.store.rows("SELECT email FROM contacts WHERE id = 2")[0]["email"]
    found, warning = await into_the_inbox(bench, email=email)
    assert (found, "whether it did is not known: look with find_contacts" in warning) == (None, True)


@pytest.mark.parametrize(
    ("fault", "why", "again"),
    [
        (Fault("status", status=422, times=9, **LINK), "Chatwoot rejected the request", False),
        (Fault("status", status=429, times=9, **LINK), "No more requests can be sent", True),
        (Fault("status", status=500, **LINK), "a look showed that none was made", True),
        (Fault("cut_before", **LINK), "a look showed that none was made", True),
    ],
)
async def test_an_identity_that_surely_was_not_made_is_said_to_be_missing_and_why(
    bench: Bench, fault: Fault, why: str, again: bool
) -> None:
    bench.sandbox.faults.add(fault)
    found, warning = await into_the_inbox(bench)
    assert (found, links(bench.sandbox, 2, 2)) == (None, [])
    assert warning.startswith("The contact is saved, and has no source_id in that inbox")
    assert why in warning
    assert ("again" in warning) == again
    bench.sandbox.faults.clear()
    assert await into_the_inbox(bench) == (links(bench.sandbox, 2, 2)[0], "")


async def test_the_contact_is_shown_with_the_identity_that_the_call_made(bench: Bench) -> None:
    made = await bench.call("save_contact", contact_id=2, inbox="Help Desk API")
    shown = await bench.call("find_contacts", contact_id=2, include=["inboxes"])
    assert made["contact"]["inboxes"] == shown["contacts"][0]["inboxes"]
    assert made["source_id"] in {each["source_id"] for each in made["contact"]["inboxes"]}


NUMBERED: Final = {"WhatsApp": (4, "15550001001"), "Twilio WhatsApp": (6, "whatsapp:+15550001001")}


@pytest.mark.parametrize("inbox", NUMBERED)
async def test_an_identity_that_is_anothers_is_told_with_the_way_to_whoever_has_it(bench: Bench, inbox: str) -> None:
    """Jane (1) had the number before contact 4, and has it in the inbox still: Chatwoot refuses the same one again."""
    inbox_id, source_id = NUMBERED[inbox]
    await bench.call("save_contact", contact_id=1, inbox=inbox)
    await bench.call("save_contact", contact_id=1, phone_number="+15550009999")
    saved = await bench.call("save_contact", contact_id=4, phone_number="+15550001001", inbox=inbox)
    failure = await bench.refused(contact_id=4, inbox_id=inbox_id)
    assert (failure.code, failure.field, links(bench.sandbox, 4, inbox_id)) == ("source_id_taken", "contact_id", [])
    for text in (saved["warnings"][0], failure.text):
        assert "again" not in text
        assert "create_conversation with inbox_id and the source_id" in text
    found = await bench.call(inbox_id=inbox_id, source_id=source_id)
    assert found["conversation"]["contact"]["id"] == 1


@pytest.mark.parametrize(
    ("contact_id", "inbox", "why"),
    [(1, "Facebook", "cannot make one on facebook"), (4, "WhatsApp", "the contact's phone_number, which is not set")],
)
async def test_an_identity_that_chatwoot_cannot_make_is_not_asked_for(
    bench: Bench, contact_id: int, inbox: str, why: str
) -> None:
    [warning] = (await bench.call("save_contact", contact_id=contact_id, inbox=inbox))["warnings"]
    assert why in warning
    assert {method for method, _ in bench.requests} == {"GET"}
