"""What counts as true: each result at its word, beside what is there."""

from __future__ import annotations

from typing import Any, Final

import pytest

from scripts.prove.case import There
from scripts.prove.judge import Told, lies

CREATED: Final = Told({"outcome": "created", "conversation": {"id": 7, "status": "open"}, "message": {"id": 3}})
NOTHING: Final = Told({}, "chatwoot_error", "Nothing was written. Try again.", retryable=True)
UNKNOWN: Final = Told({}, "outcome_unknown", "Not known.")
CHANGED_ONE: Final = Told({}, "chatwoot_error", "It failed. Changed before that: status, team. Not known: priority.")
MADE_ONE: Final = Told({}, "rejected", "Refused. Before that contact 5 was found or created.")
SAVED: Final = Told({"contact": {"id": 5}})
HANDED: Final = {"step": "note", "status": "done"}


def escalated(status: str, detail: str | None = None) -> Told:
    return Told({"steps": [HANDED, {"step": "team", "status": status, **({"detail": detail} if detail else {})}]})


def updated(applied: list[str], priority: str | None) -> Told:
    return Told({"applied": applied, "conversation": {"id": 1, "priority": priority}})


def there(**parts: list[Any]) -> There:
    return There(parts)


def changed(held: list[Any], priority: str | None) -> There:
    return There({"priority": held}, {"priority": priority}, ("priority",))


@pytest.mark.parametrize(
    ("tool", "told", "found", "wrong"),
    [
        ("create_conversation", CREATED, there(conversation=[7], message=[3]), []),
        ("create_conversation", CREATED, there(conversation=[], message=[3]),
         ["conversation said to be there, and is not"]),
        ("create_conversation", CREATED, there(conversation=[7, 8], message=[3]),
         ["conversation doubled: there is 7, 8"]),
        ("create_conversation", CREATED, there(conversation=[8], message=[3]), ["conversation 7 shown, there is 8"]),
        ("create_conversation", CREATED, There({}, {"status": "pending"}, ("status",)),
         ["status shown as open, it is pending"]),
        ("create_conversation", NOTHING, there(conversation=[], message=[]), []),
        ("create_conversation", NOTHING, there(conversation=[7], message=[]),
         ["conversation said not to be there, and is"]),
        ("create_conversation", UNKNOWN, there(conversation=[7], message=[]), []),
        ("create_conversation", UNKNOWN, there(conversation=[7, 8]), ["conversation doubled: there is 7, 8"]),
        ("create_conversation", Told({}, "internal_error"), there(conversation=[]), ["failed unforeseen"]),
        ("reply_to_conversation", Told({"outcome": "already_sent"}), there(message=[4]), []),
        ("reply_to_conversation", Told({"message": {"id": 3}}), there(message=[4]), ["message 3 shown, there is 4"]),
        ("update_conversation", updated(["priority"], "high"), changed(["high"], "high"), []),
        ("update_conversation", updated([], "low"), changed(["high"], "high"),
         ["priority said not to be there, and is", "priority shown as low, it is high"]),
        ("update_conversation", CHANGED_ONE, there(status=["open"], team=[1], priority=[]), []),
        ("update_conversation", CHANGED_ONE, there(status=[], team=[1], priority=["high"]),
         ["status said to be there, and is not", "priority said not to be there, and is"]),
        ("save_contact", SAVED, there(contact=[5]), []),
        ("save_contact", SAVED, there(source_id=["x"]), ["source_id said not to be there, and is"]),
        ("save_contact", Told({"warnings": ["Whether it did is not known."]}), there(source_id=["x"]), []),
        ("save_contact", Told({"contact": {"id": 5}, "not_applied": [{"field": "name"}]}), there(name=[]), []),
        ("escalate_to_human", escalated("done"), there(note=[3], team=[1]), []),
        ("escalate_to_human", escalated("failed", "Chatwoot failed."), there(note=[3], team=[1]),
         ["team said not to be there, and is"]),
        ("escalate_to_human", escalated("failed", "Whether it was set is not known."), there(note=[3], team=[1]), []),
        ("escalate_to_human", MADE_ONE, there(contact=[5], conversation=[]), []),
        ("escalate_to_human", MADE_ONE, there(contact=[6], conversation=[]), ["contact said not to be there, and is"]),
        ("find_contacts", Told({"contacts": []}), There(wrong=("shows [], there is [1]",)), ["shows [], there is [1]"]),
    ],
)  # fmt: skip
def test_a_result_is_true_only_if_what_it_says_is_there(tool: str, told: Told, found: There, wrong: list[str]) -> None:
    assert lies(tool, told, found) == wrong
