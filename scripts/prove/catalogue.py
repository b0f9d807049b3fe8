"""Every case there is. A write is named after the request of it that is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from scripts.prove import writes
from scripts.prove.case import Case
from scripts.prove.place import Place
from scripts.prove.proxy import Wanted
from scripts.prove.reads import READS

CONVERSATIONS: Final = Wanted("POST", r"/conversations$")
MESSAGES: Final = r"/conversations/\d+/messages$"
REPLY: Final = Wanted("POST", MESSAGES, '"private":false')
NOTE: Final = Wanted("POST", MESSAGES, '"private":true')
STATUS: Final = Wanted("POST", r"/toggle_status$")
TEAM: Final = Wanted("POST", r"/assignments$", '"team_id"')
ASSIGNEE: Final = Wanted("POST", r"/assignments$", '"assignee_id"')
LABELS: Final = Wanted("POST", r"/conversations/\d+/labels$")
ATTRIBUTES: Final = Wanted("POST", r"/custom_attributes$")
PRIORITY: Final = Wanted("PATCH", r"/conversations/\d+$")
CONTACTS: Final = Wanted("POST", r"/contacts$")
CONTACT: Final = Wanted("PATCH", r"/contacts/\d+$")
LINK: Final = Wanted("POST", r"/contact_inboxes$")


_CHANGES: Final[dict[str, tuple[Wanted, writes.Choice]]] = {
    "status": (STATUS, writes.status),
    "priority": (PRIORITY, writes.priority),
    "team": (TEAM, writes.team),
    "assignee": (ASSIGNEE, writes.assignee),
    "labels": (LABELS, writes.labels),
    "custom_attributes": (ATTRIBUTES, writes.attributes),
}
_STEPS: Final = {"message": REPLY, "note": NOTE, **{name: _CHANGES[name][0] for name in list(_CHANGES)[:5]}}


def cases(place: Place) -> list[Case]:
    """As far as the account has what they need."""
    missing = set(left_out(place))
    return [
        case
        for case in (*_CREATES, *_messages(), *_updates(), *_SAVES, *_escalations(), *READS)
        if case.part not in missing
    ]


def left_out(place: Place) -> list[str]:
    """What the account has none of."""
    return [name for name, value in (("team", place.team), ("labels", place.label)) if value is None]


_CREATES: Final = (Case("create_conversation", "conversation", "conversation", CONVERSATIONS, writes.create),)
_SAVES: Final = (
    Case("save_contact", "contact by e-mail", "contact", CONTACTS, writes.save_by_email),
    Case("save_contact", "contact by name alone", "contact", CONTACTS, writes.save_by_name),
    Case("save_contact", "change", "name", CONTACT, writes.save_again),
    Case("save_contact", "source_id", "source_id", LINK, writes.save_into_inbox),
)


def _messages() -> Iterator[Case]:
    for tool, private, wanted in (("reply_to_conversation", False, REPLY), ("add_private_note", True, NOTE)):
        yield Case(tool, "message", "message", wanted, writes.message(private=private, beside=False))
        yield Case(tool, "same as a colleague's", "message", wanted, writes.message(private=private, beside=True))


def _updates() -> Iterator[Case]:
    def case(name: str, part: str, choices: dict[str, writes.Choice]) -> Case:
        return Case("update_conversation", name, part, _CHANGES[part][0], writes.update(choices), takes_key=False)

    for part, (_, choose) in _CHANGES.items():
        yield case(part, part, {part: choose})
    yield case("priority after status", "priority", {"status": writes.status, "priority": writes.priority})


def _escalations() -> Iterator[Case]:
    def case(name: str, part: str, steps: frozenset[str]) -> Case:
        return Case("escalate_to_human", name, part, _STEPS[part], writes.escalate(steps))

    yield Case("escalate_to_human", "contact", "contact", CONTACTS, writes.escalate_new)
    yield Case("escalate_to_human", "conversation", "conversation", CONVERSATIONS, writes.escalate_new)
    for part in _STEPS:
        yield case(part, part, frozenset(_STEPS))
    for part in list(_STEPS)[2:]:
        yield case(f"{part} alone", part, frozenset({part}))
