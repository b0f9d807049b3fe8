"""Every case there is. A write is named after the request of it that is cut."""

from __future__ import annotations

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


def cases(place: Place) -> list[Case]:
    """Every write and every reading tool, as far as the account has what they need."""
    changes: list[tuple[str, Wanted, writes.Choice]] = [
        ("status", STATUS, writes.status),
        ("priority", PRIORITY, writes.priority),
        ("team", TEAM, writes.team),
        ("assignee", ASSIGNEE, writes.assignee),
        ("labels", LABELS, writes.labels),
        ("custom_attributes", ATTRIBUTES, writes.attributes),
    ]
    steps = [("message", REPLY), ("note", NOTE), *((name, wanted) for name, wanted, _ in changes[:5])]
    missing = {name for name, value in (("team", place.team), ("labels", place.label)) if value is None}
    all_of_them = [
        Case("create_conversation", "conversation", "conversation", CONVERSATIONS, writes.create),
        *(
            Case(tool, name, "message", wanted, writes.message(private=private, beside=beside))
            for tool, private, wanted in (("reply_to_conversation", False, REPLY), ("add_private_note", True, NOTE))
            for name, beside in (("message", False), ("message beside a colleague's", True))
        ),
        *(
            Case("update_conversation", name, name, wanted, writes.update(name, choose), takes_key=False)
            for name, wanted, choose in changes
        ),
        Case("save_contact", "contact by e-mail", "contact", CONTACTS, writes.save_by_email),
        Case("save_contact", "contact by name alone", "contact", CONTACTS, writes.save_by_name),
        Case("save_contact", "change", "name", CONTACT, writes.save_again),
        Case("save_contact", "source_id", "source_id", LINK, writes.save_into_inbox),
        Case("escalate_to_human", "contact", "contact", CONTACTS, writes.escalate_new),
        Case("escalate_to_human", "conversation", "conversation", CONVERSATIONS, writes.escalate_new),
        *(Case("escalate_to_human", name, name, wanted, writes.escalate) for name, wanted in steps),
        *READS,
    ]
    return [case for case in all_of_them if case.part not in missing]


def left_out(place: Place) -> list[str]:
    """What of it the account has nothing for."""
    said = [] if place.team is not None else ["team: the account has none"]
    return said if place.label is not None else [*said, "labels: the account has none"]
