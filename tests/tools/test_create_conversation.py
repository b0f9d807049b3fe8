"""The tool on the sandbox: what goes out, what comes back, and what is said of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy
from chatwoot_tools.core.create_conversation.model import CreateConversation
from support import BASE_URL, Bench

PAIR: dict[str, Any] = {"inbox_id": 2, "contact_id": 1}
EVERYTHING: dict[str, Any] = {
    "inbox_id": 2,
    "contact_id": 1,
    "source_id": "jane-api",
    "status": "pending",
    "assignee_id": 2,
    "team_id": 1,
    "additional_attributes": {"mail_subject": "Ünïcode \u2028 ☃", "referer": "https://shop.test/?a=1&b=2"},
    "custom_attributes": {"order_id": "A-1", "nested": {"list": [1, 2.5, None, True, "x"]}, "empty": {}},
    "message": {
        "content": 'Hello 👋🏽\n\t"quoted" \\ and <b>more</b>',
        "private": True,
    },
}


async def test_every_argument_reaches_the_wire_as_it_is_and_is_shown_as_applied(bench: Bench) -> None:
    result = await bench.call(**EVERYTHING, account_id=1, idempotency_key="order-1", response_format="detailed")
    sent = bench.writes[0].body
    stamp = sent["additional_attributes"].pop("chatwoot_mcp")
    assert sent["message"].pop("content_attributes") == {"chatwoot_mcp": stamp}
    assert sent == EVERYTHING
    assert stamp.count(".") == 1
    conversation, raw = result["conversation"], result["raw"]
    assert result == {
        "outcome": "created",
        "conversation": {
            "id": 42,
            "uuid": raw["uuid"],
            "account_id": 1,
            "inbox_id": 2,
            "inbox_name": "Help Desk API",
            "channel": "api",
            "status": "pending",
            "contact": {"id": 1, "name": "Jane Doe"},
            "assignee": {"id": 2, "name": "Bob Agent"},
            "team": {"id": 1, "name": "support"},
            "custom_attributes": EVERYTHING["custom_attributes"],
            # The line separator is one of the characters that nobody sees.
            "additional_attributes": {**EVERYTHING["additional_attributes"], "mail_subject": "Ünïcode  ☃"},
            "can_reply": True,
            "created_at": conversation["created_at"],
            "url": f"{BASE_URL}/app/accounts/1/conversations/42",
        },
        "message": {
            "id": raw["messages"][0]["id"],
            "content": EVERYTHING["message"]["content"],
            "private": True,
            "status": "sent",
            "created_at": result["message"]["created_at"],
        },
        "not_applied": [],
        "raw": raw,
    }


async def test_all_of_them_together_with_a_template_too(bench: Bench) -> None:
    template = {
        "name": "order_update",
        "category": "UTILITY",
        "language": "en_US",
        "namespace": "ns",
        "processed_params": {"body": {"1": "Jane", "2": "A-1"}},
    }
    everything = {
        **EVERYTHING,
        "inbox_id": 4,
        "source_id": "15550001001",
        "message": {**EVERYTHING["message"], "template_params": template},
    }
    options = {"account_id": 1, "idempotency_key": "all", "response_format": "detailed", "dry_run": False}
    assert CreateConversation.model_fields.keys() == everything.keys() | options.keys()
    result = await bench.call(**everything, **options)
    sent = bench.writes[0].body
    stamp = sent["additional_attributes"].pop("chatwoot_mcp")
    assert sent["message"].pop("content_attributes") == {"chatwoot_mcp": stamp}
    assert sent == everything
    assert (result["outcome"], result["not_applied"]) == ("created", [])


async def test_a_template_reaches_the_wire_with_all_its_parts(bench: Bench) -> None:
    template = {
        "name": "order_update",
        "category": "UTILITY",
        "language": "en_us",
        "namespace": "ns",
        "processed_params": {"body": {"1": "Jane", "2": "A-1"}},
    }
    result = await bench.call(inbox_id=4, contact_id=1, message={"template_params": template})
    sent = bench.writes[0].body["message"]
    assert sent.pop("content_attributes").keys() == {"chatwoot_mcp"}
    assert sent == {"template_params": template, "private": False}
    assert result["conversation"]["channel"] == "whatsapp"
    assert "warnings" not in result


async def test_a_warm_plain_call_makes_one_request_and_answers_in_a_kilobyte(bench: Bench) -> None:
    await bench.call(**PAIR, assignee_id=2, team_id=1)
    bench.sandbox.requests.clear()
    result = await bench.call(**PAIR, assignee_id=2, team_id=1, message={"content": "Hello"})
    assert bench.requests == [("POST", "/api/v1/accounts/1/conversations")]
    assert len(json.dumps(result, separators=(",", ":")).encode()) <= 1024


async def test_a_new_idempotency_key_costs_one_look_before_and_one_after(bench: Bench) -> None:
    await bench.call(**PAIR)
    bench.sandbox.requests.clear()
    await bench.call(**PAIR, idempotency_key="k")
    assert bench.requests == [
        ("GET", "/api/v1/accounts/1/contacts/1/conversations"),
        ("POST", "/api/v1/accounts/1/conversations"),
        ("GET", "/api/v1/accounts/1/contacts/1/conversations"),
    ]


async def test_a_dry_run_checks_everything_and_shows_the_request_without_sending_it(bench: Bench) -> None:
    before = bench.conversations()
    result = await bench.call(**EVERYTHING, dry_run=True)
    assert bench.writes == []
    assert bench.conversations() == before
    body = result["request"]["body"]
    stamp = body["additional_attributes"].pop("chatwoot_mcp")
    assert body["message"].pop("content_attributes") == {"chatwoot_mcp": stamp}
    assert result == {
        "outcome": "dry_run",
        "request": {"method": "POST", "path": "/api/v1/accounts/1/conversations", "body": EVERYTHING},
        "not_applied": [],
    }
    assert (await bench.refused(**PAIR, team_id=77, dry_run=True)).code == "team_not_found"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"inbox_id": 2, "contact_id": 9999}, "not_found"),
        ({"inbox_id": 3, "contact_id": 4}, "contact_detail_missing"),
        ({"inbox_id": 4, "contact_id": 4}, "contact_detail_missing"),
    ],
    ids=["no contact", "no e-mail", "no phone number"],
)
async def test_a_dry_run_refuses_what_the_call_would_for_the_contact(
    bench: Bench, asked: dict[str, Any], code: str
) -> None:
    planned = await bench.refused(**asked, dry_run=True)
    assert bench.writes == []
    real = await bench.refused(**asked)
    assert (planned.code, planned.text, planned.field) == (code, real.text, real.field)


async def test_a_dry_run_knows_that_chatwoot_looks_at_the_detail_and_not_at_an_older_identity(bench: Bench) -> None:
    bench.sandbox.store.execute("UPDATE contacts SET email = NULL WHERE id = 1")
    for dry_run in (True, False):
        failure = await bench.refused(inbox_id=3, contact_id=1, dry_run=dry_run)
        assert failure.code == "contact_detail_missing"


async def test_a_dry_run_says_where_a_bot_cannot_look_at_the_contact(sandbox: Sandbox) -> None:
    bot = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    result = await bot.call(**{**PAIR, "contact_id": 9999}, dry_run=True)
    assert (result["outcome"], result["warnings"][-1]) == (
        "dry_run",
        "Not checked, as this token may not read contacts: contact_id, and whether it has what the inbox needs.",
    )


async def test_the_stamp_can_be_switched_off(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(stamp=False))
    assert (await bench.call(**PAIR))["outcome"] == "created"
    assert bench.writes[0].body == {**PAIR}


# --- ids that are found for the caller ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"source_id": "jane-api"}, (2, 1)),
        ({"source_id": "jane-api", "contact_id": 1}, (2, 1)),
        ({"source_id": "jane-api", "inbox_id": 2}, (2, 1)),
        ({"source_id": "tg-6", "inbox_id": 10}, (10, 6)),
    ],
)
async def test_a_known_source_id_is_completed_so_that_all_three_are_sent(
    bench: Bench, given: dict[str, Any], found: tuple[int, int]
) -> None:
    await bench.call(**given)
    sent = bench.writes[0].body
    assert (sent["inbox_id"], sent["contact_id"], sent["source_id"]) == (*found, given["source_id"])


@pytest.mark.parametrize(
    "given",
    [
        {"source_id": "unknown"},
        {"source_id": "unknown", "contact_id": 1},
        {"source_id": "unknown", "inbox_id": 2},
        {"source_id": "jane-api", "contact_id": 2},
        {"source_id": "jane-api", "inbox_id": 14},
        {"source_id": "other-31"},
    ],
)
async def test_a_source_id_that_fits_nothing_is_refused_before_anything_is_written(
    bench: Bench, given: dict[str, Any]
) -> None:
    told = await bench.refused(**given)
    assert (told.code, told.field, bench.writes) == ("not_found", "source_id", [])


async def test_a_source_id_known_in_several_inboxes_asks_for_the_inbox(bench: Bench) -> None:
    told = await bench.refused(source_id="jane@customers.test")
    assert (told.code, told.field, bench.writes) == ("invalid_arguments", "inbox_id", [])
    assert "(3, 15)" in told.text


async def test_the_only_account_of_the_token_is_the_default(bench: Bench) -> None:
    assert (await bench.call(**PAIR))["conversation"]["account_id"] == 1


async def test_of_several_accounts_one_must_be_named(sandbox: Sandbox) -> None:
    told = await Bench(sandbox, "sandbox-owner").refused(**PAIR)
    assert (told.code, told.field) == ("account_required", "account_id")
    assert "1 (Acme Support), 2 (Dormant Ltd), 3 (Other Shop)" in told.text
    defaulted = Bench(sandbox, "sandbox-owner", Policy(default_account=1))
    assert (await defaulted.call(**PAIR))["outcome"] == "created"


# --- what Chatwoot overrides, and how to get it all the same -----------------------------------------------------


async def follow(bench: Bench, result: dict[str, Any]) -> dict[str, Any]:
    """Call every fix of a result; the conversation afterwards."""
    for entry in result["not_applied"]:
        if "fix" in entry:
            done = await bench.call(entry["fix"]["tool"], **entry["fix"]["arguments"])
            assert done["not_applied"] == []
    conversation = result["conversation"]
    shown = await bench.desk.client.conversations.show(conversation["account_id"], conversation["id"])
    return dict(shown.raw)


async def test_a_bot_inbox_makes_it_pending_and_the_fix_opens_it(bench: Bench) -> None:
    result = await bench.call(inbox_id=14, contact_id=1, status="open")
    [entry] = result["not_applied"]
    assert (entry["field"], entry["asked"], entry["actual"]) == ("status", "open", "pending")
    assert "bot" in entry["reason"]
    assert (await follow(bench, result))["status"] == "open"


async def test_a_blocked_contact_makes_it_resolved_and_the_fix_opens_it(bench: Bench) -> None:
    result = await bench.call(inbox_id=2, contact_id=5, status="pending")
    [entry] = result["not_applied"]
    assert (entry["field"], entry["asked"], entry["actual"]) == ("status", "pending", "resolved")
    assert "blocked" in entry["reason"]
    assert (await follow(bench, result))["status"] == "pending"


RULE = "CREATE TRIGGER rule AFTER INSERT ON conversations BEGIN UPDATE conversations SET {} WHERE id = new.id; END"


@pytest.mark.parametrize("status", ["open", None])
@pytest.mark.parametrize(
    ("inbox_id", "unseen", "says"),
    [(14, False, "A bot answers"), (14, True, "usually"), (2, False, "usually")],
    ids=["looked up", "look fails", "a rule, and no bot"],
)
async def test_that_a_bot_made_it_pending_is_said_where_one_was_seen(
    bench: Bench, inbox_id: int, unseen: bool, says: str, status: str | None
) -> None:
    bench.sandbox.store.execute(RULE.format("status = 'pending'"))
    if unseen:
        bench.sandbox.faults.add(Fault("status", status=503, times=None, path="/agent_bot$"))
    result = await bench.call(inbox_id=inbox_id, contact_id=1, **({"status": status} if status else {}))
    [said] = [entry["reason"] for entry in result["not_applied"]] or result["warnings"]
    assert says in said
    assert ("A bot answers" in said) == (says == "A bot answers")


@pytest.mark.parametrize(
    ("rule", "asked", "untrue"),
    [
        ("assignee_id = NULL", {"assignee_id": 2}, "cleared"),
        ("assignee_id = 3", {"assignee_id": 2}, "chose"),
        ("team_id = 2", {"team_id": 1}, "did not set"),
        ("status = 'resolved'", {"status": "open"}, "blocked"),
    ],
)
async def test_what_an_automation_rule_did_is_not_told_as_something_else(
    bench: Bench, rule: str, asked: dict[str, Any], untrue: str
) -> None:
    bench.sandbox.store.execute(RULE.format(rule))
    [entry] = (await bench.call(**PAIR, **asked))["not_applied"]
    assert untrue not in entry["reason"]


async def test_an_attribute_that_only_python_calls_equal_is_not_called_honoured(bench: Bench) -> None:
    bench.sandbox.store.execute(RULE.format("custom_attributes = json_object('vip', 1)"))
    [entry] = (await bench.call(**PAIR, custom_attributes={"vip": True}))["not_applied"]
    assert entry["field"] == "custom_attributes"


async def test_what_was_changed_since_is_not_told_as_chatwoots_doing(bench: Bench) -> None:
    first = await bench.call(**PAIR, status="open", assignee_id=2, idempotency_key="k")
    where = {"conversation_id": first["conversation"]["id"]}
    await bench.call("update_conversation", **where, status="resolved", assignee=3)
    again = await bench.call(**PAIR, status="open", assignee_id=2, idempotency_key="k")
    assert [entry["field"] for entry in again["not_applied"]] == ["status", "assignee_id"]
    assert all("changed it since" in entry["reason"] for entry in again["not_applied"])


@pytest.mark.parametrize(("inbox_id", "contact_id", "status"), [(14, 1, "pending"), (2, 5, "resolved")])
async def test_a_forced_status_that_nobody_asked_about_is_a_warning(
    bench: Bench, inbox_id: int, contact_id: int, status: str
) -> None:
    result = await bench.call(inbox_id=inbox_id, contact_id=contact_id)
    assert result["not_applied"] == []
    assert status in result["warnings"][0]


async def test_an_older_account_replaces_an_administrator_outside_the_inbox_and_the_fix_assigns_them(
    bench: Bench,
) -> None:
    bench.sandbox.store.update("accounts", 1, features="{}")
    result = await bench.call(inbox_id=1, contact_id=1, assignee_id=1)
    [entry] = result["not_applied"]
    assert (entry["field"], entry["asked"]) == ("assignee_id", 1)
    assert entry["actual"] in {2, 3}
    assert (await follow(bench, result))["meta"]["assignee"]["id"] == 1


async def test_an_assignee_who_left_the_team_since_the_look_up_is_cleared_and_said_so(bench: Bench) -> None:
    await bench.call(**PAIR, assignee_id=2, team_id=1)
    bench.sandbox.store.execute("DELETE FROM team_members WHERE team_id = 1 AND user_id = 2")
    result = await bench.call(**PAIR, assignee_id=2, team_id=1)
    [entry] = result["not_applied"]
    assert (entry["field"], entry["asked"], "actual" in entry) == ("assignee_id", 2, False)
    shown = await follow(bench, result)
    assert (shown["meta"]["assignee"]["id"], shown["meta"]["team"]["id"]) == (2, 1)


async def test_a_locked_inbox_gives_the_old_one_back_and_every_ignored_argument_is_named(bench: Bench) -> None:
    result = await bench.call(**{**EVERYTHING, "inbox_id": 16, "source_id": "jane-vip"})
    assert (result["outcome"], result["conversation"]["id"]) == ("reused", 2)
    assert result["message"]["content"] == EVERYTHING["message"]["content"]
    told = {entry["field"]: entry for entry in result["not_applied"]}
    assert set(told) == {"status", "team_id", "assignee_id", "custom_attributes", "additional_attributes"}
    assert "fix" not in told["additional_attributes"]
    assert all("one conversation per contact" in entry["reason"] for entry in told.values())
    shown = await follow(bench, result)
    assert (shown["status"], shown["meta"]["team"]["id"], shown["meta"]["assignee"]["id"]) == ("pending", 1, 2)
    assert shown["custom_attributes"] == EVERYTHING["custom_attributes"]


async def test_a_locked_inbox_that_reuses_a_resolved_one_says_that_it_is_resolved(bench: Bench) -> None:
    result = await bench.call(inbox_id=15, contact_id=1, status="open", message={"content": "Hello again"})
    assert (result["outcome"], result["conversation"]["status"]) == ("reused", "resolved")
    assert [entry["field"] for entry in result["not_applied"]] == ["status"]
    assert (await follow(bench, result))["status"] == "open"


async def test_without_stamps_reuse_is_told_by_chatwoots_own_clock(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(stamp=False))
    assert (await bench.call(inbox_id=15, contact_id=1))["outcome"] == "reused"
    assert (await bench.call(**PAIR))["outcome"] == "created"


async def test_a_locked_inbox_without_a_source_id_to_lock_by_is_warned_about(bench: Bench) -> None:
    result = await bench.call(inbox_id=16, contact_id=1)
    assert result["outcome"] == "created"
    assert "source_id" in result["warnings"][0]


async def test_liquid_that_chatwoot_rendered_is_shown(bench: Bench) -> None:
    result = await bench.call(**PAIR, message={"content": "Hello {{contact.name}}"})
    [entry] = result["not_applied"]
    assert (entry["field"], entry["asked"]) == ("message.content", "Hello {{contact.name}}")
    assert entry["actual"] == result["message"]["content"] == "Hello Jane Doe"


async def test_plain_text_into_a_closed_reply_window_is_warned_about(bench: Bench) -> None:
    result = await bench.call(inbox_id=4, contact_id=1, message={"content": "Hello"})
    assert result["conversation"]["can_reply"] is False
    assert "template_params" in result["warnings"][0]


# --- what is refused, each with a real answer of the sandbox -----------------------------------------------------

LOCAL: list[tuple[str, str | None, dict[str, Any], str]] = [
    ("not_found", "inbox_id", {"inbox_id": 99, "contact_id": 1}, "2 (Help Desk API)"),
    ("not_found", "inbox_id", {"inbox_id": 17, "contact_id": 1}, "2 (Help Desk API)"),
    ("not_found", "account_id", {**PAIR, "account_id": 9}, "account 9"),
    ("source_id_required", "source_id", {"inbox_id": 8, "contact_id": 1}, "facebook"),
    ("source_id_required", "source_id", {"inbox_id": 10, "contact_id": 6}, "tg-6"),
    ("source_id_invalid", "source_id", {"inbox_id": 4, "contact_id": 1, "source_id": "+15550001001"}, "without +"),
    ("source_id_invalid", "source_id", {"inbox_id": 5, "contact_id": 1, "source_id": "15550001001"}, "with +"),
    ("source_id_invalid", "source_id", {"inbox_id": 6, "contact_id": 1, "source_id": "+15550001001"}, "whatsapp:"),
    ("source_id_taken", "source_id", {"inbox_id": 3, "contact_id": 2, "source_id": "jane@customers.test"}, "contact 1"),
    ("assignee_not_assignable", "assignee_id", {**PAIR, "assignee_id": 4}, "2 (Bob Agent)"),
    ("assignee_not_assignable", "assignee_id", {**PAIR, "assignee_id": 999}, "2 (Bob Agent)"),
    ("assignee_not_assignable", "assignee_id", {**PAIR, "assignee_id": 2, "team_id": 2}, "3 (Carla Agent)"),
    ("assignee_not_assignable", "assignee_id", {**PAIR, "assignee_id": 2, "team_id": 3}, "Assignable: none"),
    ("team_not_found", "team_id", {**PAIR, "team_id": 4}, "1 (support), 2 (billing), 3 (empty)"),
]
UPSTREAM: list[tuple[str, str | None, dict[str, Any], str]] = [
    ("not_found", "contact_id", {"inbox_id": 2, "contact_id": 999}, "contact 999"),
    ("not_found", "contact_id", {"inbox_id": 2, "contact_id": 31}, "contact 31"),
    ("source_id_taken", "source_id", {"inbox_id": 2, "contact_id": 2, "source_id": "jane-api"}, "another contact"),
    ("contact_detail_missing", "contact_id", {"inbox_id": 3, "contact_id": 4}, "e-mail address"),
    ("contact_detail_missing", "contact_id", {"inbox_id": 7, "contact_id": 2}, "phone number"),
    ("contact_detail_missing", "contact_id", {"inbox_id": 4, "contact_id": 2}, "phone number"),
]


@pytest.mark.parametrize(("code", "field", "arguments", "hint"), LOCAL)
async def test_what_a_look_up_shows_to_be_wrong_is_never_sent(
    bench: Bench, code: str, field: str, arguments: dict[str, Any], hint: str
) -> None:
    before = bench.conversations()
    told = await bench.refused(**arguments)
    assert (told.code, told.field, told.retryable) == (code, field, False)
    assert hint in told.text
    assert (bench.writes, bench.conversations()) == ([], before)


@pytest.mark.parametrize(("code", "field", "arguments", "hint"), UPSTREAM)
async def test_what_chatwoot_refuses_is_explained(
    bench: Bench, code: str, field: str, arguments: dict[str, Any], hint: str
) -> None:
    before = bench.conversations()
    told = await bench.refused(**arguments)
    assert (told.code, told.field, told.retryable) == (code, field, False)
    assert hint in told.text
    assert told.text.startswith("Nothing was created")
    assert ([write.status for write in bench.writes], bench.conversations()) == ([told.http_status], before)


@pytest.mark.parametrize(
    ("token", "account_id", "code"),
    [
        ("nobody", 1, "token_invalid"),
        ("sandbox-other", 1, "not_a_member"),
        ("sandbox-owner", 2, "account_suspended"),
        ("sandbox-foreign-bot", 1, "bot_not_allowed"),
        ("sandbox-platform", 1, "bot_not_allowed"),
        ("sandbox-bot", None, "account_required"),
        ("sandbox-bot", 99, "not_found"),
    ],
)
async def test_each_kind_of_401_has_its_own_words(
    sandbox: Sandbox, token: str, account_id: int | None, code: str
) -> None:
    told = await Bench(sandbox, token).refused(**PAIR, account_id=account_id)
    assert (told.code, told.retryable) == (code, False)
    assert token not in told.text


async def test_an_inbox_that_the_agent_may_not_enter_is_forbidden_and_those_that_are_not_are_listed(
    sandbox: Sandbox,
) -> None:
    told = await Bench(sandbox, "sandbox-agent").refused(inbox_id=7, contact_id=1)
    assert (told.code, told.field) == ("forbidden", "inbox_id")
    assert "2 (Help Desk API)" in told.text
    assert "Bandwidth SMS" not in told.text


async def test_an_inbox_that_was_taken_from_the_agent_since_the_look_up_is_forbidden(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-agent")
    await bench.call(**PAIR)
    sandbox.store.execute("DELETE FROM inbox_members WHERE user_id = 2")
    assert (await bench.refused(**PAIR)).code == "forbidden"


async def test_a_token_that_the_proxy_drops_is_told_from_a_wrong_one(bench: Bench) -> None:
    bench.sandbox.faults.add(Fault("status", status=401, times=None))
    assert (await bench.refused(**PAIR)).code == "forbidden"
    bench.sandbox.faults.clear()
    assert (await Bench(bench.sandbox, " ").refused(**PAIR)).code == "token_missing"


TEMPLATES = [
    ("name", {"name": "nosuch", "language": "en_US"}, "order_update, promo_image, welcome"),
    ("name", {"name": "old_offer", "language": "en"}, "order_update"),
    ("language", {"name": "welcome", "language": "fr"}, "en_US, pt_BR"),
    ("language", {"name": "welcome"}, "en_US, pt_BR"),
    ("processed_params", {"name": "order_update", "language": "en_US"}, "It takes: 1, 2"),
    ("processed_params", {"name": "order_update", "language": "en_US", "processed_params": {"1": "x"}}, "1, 2"),
    (
        "processed_params",
        {"name": "promo_image", "language": "en", "processed_params": {"body": {"1": "x"}}},
        "header.media_url",
    ),
]


@pytest.mark.parametrize(("field", "template", "hint"), TEMPLATES)
async def test_a_template_that_the_inbox_has_not_so_is_refused_with_what_it_has(
    bench: Bench, field: str, template: dict[str, Any], hint: str
) -> None:
    told = await bench.refused(inbox_id=4, contact_id=1, message={"template_params": template})
    assert (told.code, told.field) == ("template_invalid", f"message.template_params.{field}")
    assert hint in told.text
    assert bench.writes == []


@pytest.mark.parametrize("wrong", [5, "media_url", ["media_url"], True])
@pytest.mark.parametrize("part", ["header", "body"])
async def test_a_part_of_a_template_that_is_no_object_is_named(bench: Bench, part: str, wrong: Any) -> None:
    values = {"body": {"1": "x"}, "header": {"media_url": "https://acme.test/a.png"}, part: wrong}
    template = {"name": "promo_image", "language": "en", "processed_params": values}
    told = await bench.refused(inbox_id=4, contact_id=1, message={"template_params": template})
    assert (told.code, told.field) == ("invalid_arguments", f"message.template_params.processed_params.{part}")
    assert bench.writes == []


async def test_a_template_in_an_inbox_without_any_is_refused(bench: Bench) -> None:
    told = await bench.refused(**PAIR, message={"template_params": {"name": "welcome"}})
    assert (told.code, told.text.endswith("Its templates: none.")) == ("template_invalid", True)


async def test_twilio_templates_take_flat_values_and_english_by_default(bench: Bench) -> None:
    template = {"name": "greeting", "processed_params": {"1": "Jane"}}
    result = await bench.call(inbox_id=6, contact_id=1, message={"template_params": template})
    assert (result["outcome"], result["conversation"]["channel"]) == ("created", "twilio_whatsapp")
    nested = {"name": "greeting", "processed_params": {"body": {"1": "Jane"}}}
    assert (
        await bench.refused(inbox_id=6, contact_id=1, message={"template_params": nested})
    ).code == "template_invalid"


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"source_id": "tg-6", "inbox_id": 10}, "forbidden", "inbox_id"),
        ({"source_id": "tg-6", "contact_id": 6}, "forbidden", "source_id"),
        ({"source_id": "tg-6", "inbox_id": 10, "contact_id": 6}, "forbidden", "inbox_id"),
        ({"inbox_id": 10, "contact_id": 6, "assignee_id": 2}, "forbidden", "inbox_id"),
        ({"source_id": "tg-6"}, "not_found", "source_id"),  # Chatwoot tells only of inboxes that are asked for by id
        ({"source_id": "tg-6", "inbox_id": 99, "contact_id": 6}, "not_found", "inbox_id"),
        ({"source_id": "other-31", "inbox_id": 17, "contact_id": 6}, "not_found", "inbox_id"),
    ],
)
async def test_an_inbox_that_an_agent_may_not_see_is_forbidden_and_one_that_is_not_there_is_not_found(
    sandbox: Sandbox, asked: dict[str, Any], code: str, field: str
) -> None:
    bench = Bench(sandbox, "sandbox-agent")
    failure = await bench.refused(**asked)
    assert (failure.code, failure.field, bench.writes) == (code, field, [])


async def test_where_chatwoot_cannot_be_asked_which_it_is_the_inbox_is_not_found(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("status", status=503, times=None, path="/assignable_agents$"))
    failure = await Bench(sandbox, "sandbox-agent").refused(inbox_id=10, contact_id=6)
    assert (failure.code, failure.field) == ("not_found", "inbox_id")


# --- settings forbid ---------------------------------------------------------------------------------------------


async def test_an_account_outside_the_allow_list_is_refused_without_a_request(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, policy=Policy(allowed_accounts=frozenset({3})))
    told = await bench.refused(**PAIR, account_id=1)
    assert (told.code, told.field, bench.requests) == ("not_allowed", "account_id", [])


@pytest.mark.parametrize(
    "arguments",
    [
        PAIR,
        {"source_id": "jane-api", "contact_id": 1},
        {"source_id": "jane-api"},
        {"source_id": "jane-api", "inbox_id": 2},
    ],
)
async def test_no_form_of_the_call_gets_past_the_inbox_allow_list(sandbox: Sandbox, arguments: dict[str, Any]) -> None:
    bench = Bench(sandbox, policy=Policy(allowed_inboxes=frozenset({3})))
    told = await bench.refused(**arguments)
    assert told.code in {"not_allowed", "not_found"}
    assert bench.writes == []


# --- bots --------------------------------------------------------------------------------------------------------


async def test_a_bot_opens_a_conversation_and_is_told_what_was_not_checked(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    result = await bench.call(**PAIR, assignee_id=2)
    assert result["outcome"] == "created"
    assert result["warnings"] == [
        "Not checked before sending, as this token may not read the lists: inbox_id, assignee_id."
    ]
    sandbox.requests.clear()
    await bench.call(**PAIR)
    assert len(bench.requests) == 1


async def test_a_dangling_assignee_that_only_a_bot_can_send_is_reported(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    result = await bench.call(**PAIR, assignee_id=999)
    [entry] = result["not_applied"]
    assert (entry["field"], entry["asked"], "actual" in entry) == ("assignee_id", 999, False)


@pytest.mark.parametrize("arguments", [{**PAIR, "team_id": 1}, {"source_id": "jane-api"}])
async def test_what_a_bot_cannot_do_safely_is_refused(sandbox: Sandbox, arguments: dict[str, Any]) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    told = await bench.refused(**arguments)
    assert (told.code, bench.writes) == ("bot_not_allowed", [])


async def test_a_bot_whose_create_fails_on_a_channel_it_cannot_see_is_told_the_likely_reason(sandbox: Sandbox) -> None:
    bench = Bench(sandbox, "sandbox-bot", Policy(default_account=1))
    told = await bench.refused(inbox_id=8, contact_id=1)
    assert (told.code, told.retryable, told.http_status) == ("outcome_unknown", False, 500)
    assert "needs a source_id" in told.text
