"""What create_conversation accepts and refuses, before anything is sent."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chatwoot_tools import Tool
from chatwoot_tools.arguments.inputs import parse_arguments
from chatwoot_tools.core.add_private_note import AddPrivateNote
from chatwoot_tools.core.create_conversation.model import CreateConversation
from chatwoot_tools.failures.codes import ToolFailure
from chatwoot_tools.registry import TOOLS
from chatwoot_tools.schema import input_schema

PAIR: dict[str, Any] = {"inbox_id": 2, "contact_id": 1}


def parsed(**arguments: Any) -> dict[str, Any]:
    return parse_arguments(CreateConversation, PAIR | arguments).model_dump(exclude_unset=True)


def fault(**arguments: Any) -> ToolFailure:
    with pytest.raises(ToolFailure) as caught:
        parse_arguments(CreateConversation, PAIR | arguments)
    assert caught.value.code == "invalid_arguments"
    assert caught.value.text.startswith("Nothing was sent to Chatwoot. ")
    assert not caught.value.retryable
    return caught.value


@pytest.mark.parametrize("field", ["account_id", "inbox_id", "contact_id", "assignee_id", "team_id"])
@pytest.mark.parametrize("form", [7, 7.0, "7", " 7 ", "7.0", "007"])
def test_an_id_is_accepted_in_every_form_that_means_it(field: str, form: Any) -> None:
    assert parsed(**{field: form})[field] == 7


@pytest.mark.parametrize("field", ["account_id", "inbox_id", "contact_id", "assignee_id", "team_id"])
@pytest.mark.parametrize(
    "form", [True, False, -1, 7.5, "7.5", "-7", " ", "seven", [7], {"id": 7}, math.nan, math.inf, 2**31, "9" * 40]
)
def test_an_id_is_refused_in_every_other_form_by_name(field: str, form: Any) -> None:
    assert fault(**{field: form}).field == field


@pytest.mark.parametrize(
    "field",
    ["source_id", "status", "assignee_id", "team_id", "message", "custom_attributes", "idempotency_key", "account_id"],
)
def test_null_means_absent(field: str) -> None:
    assert field not in parsed(**{field: None})


EMPTY: dict[str, list[Any]] = {
    "account_id": [0, "0", ""],
    "assignee_id": [0, "0", ""],
    "team_id": [0, "0", ""],
    "source_id": [""],
    "status": [""],
    "response_format": [""],
    "message": [{}, "{}", ""],
    "additional_attributes": [{}, "{}", ""],
    "custom_attributes": [{}, "{}", ""],
    "idempotency_key": [""],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in EMPTY.items() for value in values])
def test_an_empty_value_of_an_optional_argument_means_absent(field: str, value: Any) -> None:
    assert field not in parsed(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"), [("dry_run", ""), ("dry_run", 2), ("status", 0), ("account_id", False), ("account_id", [])]
)
def test_an_empty_value_of_another_kind_is_refused(field: str, value: Any) -> None:
    assert fault(**{field: value}).field == field


def test_what_is_needed_is_refused_where_it_says_nothing() -> None:
    with pytest.raises(ToolFailure, match=r"`inbox_id` is required.*`contact_id` is required"):
        parse_arguments(CreateConversation, {"inbox_id": 0, "contact_id": "", "source_id": ""})
    nothing: list[Any] = ["", 0, [], {}]
    for value in nothing:
        with pytest.raises(ToolFailure) as caught:
            parse_arguments(AddPrivateNote, {"conversation_id": 4, "content": value})
        assert caught.value.field == "content"
        with pytest.raises(ToolFailure) as caught:
            parse_arguments(AddPrivateNote, {"conversation_id": value, "content": "x"})
        assert caught.value.field == "conversation_id"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_all_that_is_optional_may_be_empty_in_every_tool(tool: Tool[Any, Any]) -> None:
    """As a client calls that cannot leave an argument out: what it has to say, beside what says nothing."""
    empty: dict[str, Any] = {"string": "", "integer": 0, "array": [], "object": {}}
    schema = input_schema(tool.input)
    blank = {
        name: empty[about["type"]]
        for name, about in schema["properties"].items()
        if about["type"] in empty and name not in {*schema.get("required", ()), "limit"}
    }
    said = SAID.get(tool.name, {})
    assert parse_arguments(tool.input, {**blank, **said}) == parse_arguments(tool.input, said)


SAID: dict[str, dict[str, Any]] = {
    "create_conversation": {"inbox_id": 2, "contact_id": 1},
    "escalate_to_human": {"conversation_id": 4, "summary": "s"},
    "reply_to_conversation": {"conversation_id": 4, "content": "Hello"},
    "add_private_note": {"conversation_id": 4, "content": "Hello"},
    "get_conversation": {"conversation_id": 4},
    "update_conversation": {"conversation_id": 4, "status": "resolved"},
    "find_contacts": {"query": "jane"},
    "save_contact": {"name": "Jane"},
}


@pytest.mark.parametrize("status", ["open", "resolved", "pending"])
def test_the_three_statuses_are_accepted(status: str) -> None:
    assert parsed(status=status)["status"] == status


@pytest.mark.parametrize("status", ["snoozed", "Open", "closed", " ", "bot", 0, True, ["open"]])
def test_any_other_status_is_refused_with_the_allowed_ones(status: Any) -> None:
    told = fault(status=status)
    assert told.field == "status"
    assert told.text == "Nothing was sent to Chatwoot. `status` must be one of open, resolved, pending."


@pytest.mark.parametrize("field", ["custom_attributes", "additional_attributes"])
@pytest.mark.parametrize("value", [{"a": 1, "b": {"c": [1, None, "x", True, 1.5]}}, {"a": {}}])
def test_an_object_is_accepted_as_itself_and_as_json_text(field: str, value: dict[str, Any]) -> None:
    import json

    assert parsed(**{field: value})[field] == value
    assert parsed(**{field: f" {json.dumps(value)}"})[field] == value


@pytest.mark.parametrize("field", ["custom_attributes", "additional_attributes"])
@pytest.mark.parametrize(
    ("value", "inside"),
    [
        *[(value, "") for value in ("text", "[1]", [1], 5, True, "{broken", {"": 1})],
        ({"tier": "x" * 1501}, ".tier"),
        ({"fine": 1, "tier": 9_999_999_999 + 1}, ".tier"),
    ],
)
def test_what_is_no_object_or_beyond_chatwoots_limits_is_refused(field: str, value: Any, inside: str) -> None:
    assert fault(**{field: value}).field == field + inside


def test_every_attribute_at_fault_is_named_and_none_of_their_values() -> None:
    told = fault(custom_attributes={"tier": "x" * 1501, "fine": 1, "a": 10**10}, status="x")
    assert told.text == (
        "Nothing was sent to Chatwoot. `status` must be one of open, resolved, pending; `custom_attributes.tier` is "
        "longer than 1,500 characters; `custom_attributes.a` is a whole number above 9,999,999,999."
    )


def test_attributes_up_to_chatwoots_limits_are_accepted() -> None:
    value = {"a": "x" * 1500, "b": 9_999_999_999, "c": -(10**12), "d": {"deep": "x" * 2000}, "e": 1e300}
    assert parsed(custom_attributes=value)["custom_attributes"] == value


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "inside"),
    [
        ({"a": math.nan}, ".a"),
        ({"a": [1, math.inf]}, ".a.1"),
        ({"a": {"b": [{"c": "\ud800"}]}}, ".a.b.0.c"),
        ({"a": {"\ud800": 1}}, ".a"),
        ({"a": "nul\0"}, ".a"),
        (nested(50), ".a.a.a.a.a.a.….a"),
        (nested(5000), ".a.a.a.a.a.a.….a"),
        ({str(n): n for n in range(5_000)}, ""),
    ],
    ids=["nan", "infinity", "surrogate", "surrogate key", "nul", "50 deep", "5000 deep", "10,001 parts"],
)
def test_what_json_text_or_the_database_cannot_hold_is_refused(value: Any, inside: str) -> None:
    assert fault(custom_attributes=value).field == "custom_attributes" + inside


def test_a_fault_deep_inside_a_template_is_named_by_its_whole_path() -> None:
    template = {"name": "w", "processed_params": '{"body": {"1": "x", "2": "nul\\u0000"}}'}
    told = fault(message={"content": "x", "template_params": template})
    assert told.field == "message.template_params.processed_params.body.2"


@pytest.mark.parametrize("referer", ["ftp://x.test", "javascript:alert(1)", "x", "", 5, "http://", "http://[::1"])
def test_a_referer_that_chatwoot_would_drop_is_refused(referer: Any) -> None:
    assert fault(additional_attributes={"referer": referer}).field == "additional_attributes.referer"


def test_a_web_address_is_accepted_as_referer() -> None:
    value = {"referer": "https://shop.test/cart?x=1", "mail_subject": "Order"}
    assert parsed(additional_attributes=value)["additional_attributes"] == value


def test_our_own_attribute_key_is_refused() -> None:
    assert fault(additional_attributes={"chatwoot_mcp": "x"}).field == "additional_attributes.chatwoot_mcp"
    assert parsed(custom_attributes={"chatwoot_mcp": "x"})["custom_attributes"] == {"chatwoot_mcp": "x"}


@pytest.mark.parametrize("field", ["source_id", "idempotency_key"])
@pytest.mark.parametrize("value", ["   ", 0, 5, True, [], ["x"], "nul\0", "\ud800"])
def test_text_that_is_blank_or_none_is_refused(field: str, value: Any) -> None:
    assert fault(**{field: value}).field == field


def test_texts_are_capped_where_chatwoot_caps_them() -> None:
    assert parsed(idempotency_key="k" * 255)["idempotency_key"] == "k" * 255
    assert "longer than 255" in fault(idempotency_key="k" * 256).text
    assert parsed(message={"content": "x" * 150_000})["message"]["content"] == "x" * 150_000
    assert "longer than 150,000" in fault(message={"content": "x" * 150_001}).text
    assert fault(source_id="x" * 20_001).field == "source_id"


@pytest.mark.parametrize(
    "message",
    [
        {"content": "hi"},
        {"content": "hi", "private": True},
        {"template_params": {"name": "welcome"}},
        {"content": "hi", "template_params": {"name": "w", "language": "en", "processed_params": {"1": "x"}}},
        '{"content": "hi"}',
        {"content": "hi", "private": None, "template_params": None},
        {"content": "hi", "template_params": {}},
        {"content": "", "template_params": {"name": "welcome", "language": "", "processed_params": {}}},
        {"content": "hi", "template_params": '{"name": "w", "processed_params": "{\\"1\\": \\"x\\"}"}'},
    ],
)
def test_a_message_has_content_or_a_template(message: Any) -> None:
    assert parsed(message=message)["message"]


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"private": True}, "message.content"),
        ({"content": ""}, "message.content"),
        ({"content": " \n"}, "message.content"),
        ({"content": None}, "message.content"),
        ({"content": 5}, "message.content"),
        ({"content": "x", "private": "perhaps"}, "message.private"),
        ({"content": "x", "template_params": {"name": ""}}, "message.template_params.name"),
        ({"content": "x", "template_params": {"name": "w", "processed_params": "x"}}, None),
        ({"content": "x", "message_type": "incoming"}, "message.message_type"),
        ("plain text", "message"),
        (["x"], "message"),
    ],
)
def test_a_message_of_another_shape_is_refused_by_field(message: Any, field: str | None) -> None:
    assert fault(message=message).field == (field or "message.template_params.processed_params")


@pytest.mark.parametrize(
    ("name", "near"),
    [("asignee_id", "assignee_id"), ("inboxId", "inbox_id"), ("custom_attribute", "custom_attributes")],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(name: str, near: str) -> None:
    told = fault(**{name: 1})
    assert told.field == name
    assert f"did you mean `{near}`?" in told.text


def test_an_unknown_name_is_refused_at_any_depth() -> None:
    assert "did you mean `language`?" in fault(message={"template_params": {"name": "x", "langage": "en"}}).text


def test_every_fault_of_a_call_is_named_at_once() -> None:
    with pytest.raises(ToolFailure) as caught:
        parse_arguments(
            CreateConversation, {"status": "closed", "message": {"private": "?"}, "assignee_id": -1, "labels": ["vip"]}
        )
    fields = ["status", "message.private", "message.content", "assignee_id", "labels", "inbox_id", "contact_id"]
    assert [field for field in fields if f"`{field}`" not in caught.value.text] == []


def test_inbox_and_contact_may_be_left_out_when_a_source_id_is_given() -> None:
    assert parse_arguments(CreateConversation, {"source_id": "jane-api"}).source_id == "jane-api"


@pytest.mark.parametrize("secret", ["jane@customers.test", "x" * 1_000_000])
def test_a_refusal_never_shows_a_value(secret: str) -> None:
    told = fault(status=secret, assignee_id=secret, message=secret, custom_attributes=secret, team_id=[secret])
    assert secret not in told.text
    assert len(told.text) < 1000


def test_ten_thousand_unknown_names_are_refused_in_few_words() -> None:
    told = fault(**{f"name{number}": number for number in range(10_000)})
    assert told.text.endswith("and 9990 more faults.")
    assert len(told.text) < 4000


def test_an_unknown_name_of_a_megabyte_is_cut() -> None:
    assert len(fault(**{"x" * 1_000_000: 1}).text) < 1000
