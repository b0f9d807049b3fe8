"""Who a customer is may change at any moment, by us and by others: each call that writes to one asks anew."""

from __future__ import annotations

from typing import Any, Final

import httpx
import pytest

from chatwoot_sandbox import Sandbox
from chatwoot_tools import Policy
from support import BASE_URL, Bench

JANE: Final[dict[str, Any]] = {"email": "jane@customers.test", "inbox": "Help Desk API"}


async def colleague(sandbox: Sandbox, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What somebody does in Chatwoot's own pages."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), base_url=BASE_URL) as http:
        answer = await http.request(
            method, f"/api/v1/accounts/1{path}", json=body, headers={"api_access_token": "sandbox-admin"}
        )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def handed_over(bench: Bench, **arguments: Any) -> tuple[int, str]:
    """Whose conversation it was, and what became of the contact."""
    result = await bench.call("escalate_to_human", **arguments)
    return result["contact"]["id"], result["steps"][0]["status"]


async def test_a_customer_whose_address_we_gave_to_another_is_not_taken_for_them(bench: Bench) -> None:
    assert await handed_over(bench, **JANE, summary="One") == (1, "already_done")
    await bench.call("save_contact", contact_id=1, email="jane.old@customers.test")
    await bench.call("save_contact", contact_id=2, email=JANE["email"])
    assert await handed_over(bench, **JANE, summary="Two") == (2, "already_done")


async def test_a_customer_whose_address_a_colleague_gave_to_another_is_not_taken_for_them(bench: Bench) -> None:
    assert await handed_over(bench, **JANE, summary="One") == (1, "already_done")
    await colleague(bench.sandbox, "PATCH", "/contacts/1", {"email": "jane.old@customers.test"})
    await colleague(bench.sandbox, "PATCH", "/contacts/2", {"email": JANE["email"]})
    assert await handed_over(bench, **JANE, summary="Two") == (2, "already_done")


async def test_a_customer_who_was_deleted_is_made_anew(bench: Bench) -> None:
    made = await bench.call("save_contact", email="new@customers.test")
    who: dict[str, Any] = {"email": "new@customers.test", "inbox": JANE["inbox"]}
    assert await handed_over(bench, **who, summary="One") == (made["contact"]["id"], "already_done")
    for table in ("conversations", "contact_inboxes"):
        bench.sandbox.store.execute(f"DELETE FROM {table} WHERE contact_id = {made['contact']['id']}")  # noqa: S608
    bench.sandbox.store.execute(f"DELETE FROM contacts WHERE id = {made['contact']['id']}")  # noqa: S608
    assert (await handed_over(bench, **who, summary="Two"))[1] == "done"


async def test_an_identity_that_went_to_another_contact_opens_a_conversation_with_them(bench: Bench) -> None:
    """As when contacts are merged: the identities of the one become those of the other."""
    assert (await bench.call(source_id="jane-api"))["conversation"]["contact"]["id"] == 1
    bench.sandbox.store.execute("UPDATE contact_inboxes SET contact_id = 2 WHERE source_id = 'jane-api'")
    assert (await bench.call(source_id="jane-api"))["conversation"]["contact"]["id"] == 2


async def test_an_identity_that_another_contact_got_meanwhile_is_not_taken_from_them(bench: Bench) -> None:
    """An e-mail inbox would take it away without a word."""
    given = {"inbox_id": 3, "source_id": "jane@customers.test"}
    await bench.call(**given, contact_id=1)
    bench.sandbox.store.execute("UPDATE contact_inboxes SET contact_id = 2 WHERE inbox_id = 3 AND contact_id = 1")
    assert (await bench.refused(**given, contact_id=1)).code == "source_id_taken"


@pytest.fixture
def janes(sandbox: Sandbox) -> Sandbox:
    """Jane (1) is known in the e-mail inbox 3 by an address that is another contact's (4) now."""
    sandbox.store.execute("UPDATE contacts SET email = 'jane.new@customers.test' WHERE id = 1")
    sandbox.store.execute("UPDATE contacts SET email = 'jane@customers.test' WHERE id = 4")
    return sandbox


def janes_identity(sandbox: Sandbox) -> list[str]:
    query = "SELECT source_id FROM contact_inboxes WHERE inbox_id = 3 AND contact_id = 1"
    return [row["source_id"] for row in sandbox.store.rows(query)]


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("tool", "asked"),
    [
        ("create_conversation", {"contact_id": 4, "inbox_id": 3}),
        ("escalate_to_human", {"email": "jane@customers.test", "inbox": "Support Email", "summary": "One"}),
        ("escalate_to_human", {"contact_id": 4, "inbox": "Support Email", "summary": "One"}),
    ],
)
async def test_an_identity_that_chatwoot_would_make_is_not_taken_from_another(
    janes: Sandbox, tool: str, asked: dict[str, Any], dry_run: bool
) -> None:
    failure = await Bench(janes).refused(tool, **asked, dry_run=dry_run)
    assert (failure.code, failure.field) == ("source_id_taken", "contact_id")
    assert "from contact 1" in failure.text
    assert janes_identity(janes) == ["jane@customers.test"]


@pytest.mark.parametrize(
    ("policy", "tool", "asked"),
    [
        (Policy(), "escalate_to_human", {"summary": "One"}),
        (Policy(allowed_inboxes=frozenset({3})), "escalate_to_human", {"summary": "One"}),
        (Policy(allowed_inboxes=frozenset({3})), "save_contact", {}),
    ],
)
async def test_a_customer_who_is_to_be_made_takes_no_identity_either(
    janes: Sandbox, policy: Policy, tool: str, asked: dict[str, Any]
) -> None:
    janes.store.execute("UPDATE contacts SET email = NULL WHERE id = 4")
    before = len(janes.store.rows("SELECT id FROM contacts"))
    new = {"email": "jane@customers.test", "inbox": "Support Email"}
    assert (await Bench(janes, policy=policy).refused(tool, **new, **asked)).code == "source_id_taken"
    assert len(janes.store.rows("SELECT id FROM contacts")) == before
    assert janes_identity(janes) == ["jane@customers.test"]


@pytest.mark.parametrize("asked", [{"contact_id": 4, "email": "jane@customers.test"}, {"contact_id": 4}])
async def test_a_contact_is_saved_without_the_identity_of_another(janes: Sandbox, asked: dict[str, Any]) -> None:
    if "email" in asked:
        janes.store.execute("UPDATE contacts SET email = NULL WHERE id = 4")
    dry = await Bench(janes).call("save_contact", **asked, inbox="Support Email", dry_run=True)
    saved = await Bench(janes).call("save_contact", **asked, inbox="Support Email")
    assert "it is contact 1's there" in saved["warnings"][0]
    assert (dry["warnings"], len(dry["requests"])) == (saved["warnings"], len(asked) - 1)
    assert janes_identity(janes) == ["jane@customers.test"]


async def test_an_own_identity_costs_one_look_where_chatwoot_takes_those_of_others(bench: Bench) -> None:
    await bench.call(inbox_id=3, contact_id=1)
    bench.sandbox.requests.clear()
    await bench.call(inbox_id=3, contact_id=1)
    assert bench.requests == [
        ("GET", "/api/v1/accounts/1/contacts/1"),
        ("POST", "/api/v1/accounts/1/conversations"),
    ]
