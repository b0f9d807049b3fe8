"""Every method of the client's resources and every value of ``writes``, as the way of a recorded request through it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiochatwoot import Chatwoot, writes
from aiochatwoot.request import File
from aiochatwoot.resources.contacts import read_contact, read_created_contact, read_source_id
from aiochatwoot.resources.conversations import read_conversation, read_message
from recorded.recordings import Exchange

Ids = tuple[int, ...]

_A: Final = "/api/v1/accounts/#"
_CONVERSATION: Final = f"{_A}/conversations/#"
_FILE: Final = File("a.txt", "text/plain", b"x")


class NotMakeable(Exception):
    """The client has no way to ask this."""


def _refuse() -> Any:
    raise NotMakeable


@dataclass(frozen=True)
class Asked:
    """What a recorded request asked, to be taken apart; ``answer`` for what can only be told by it."""

    query: Mapping[str, str]
    sent: Any
    answer: Any = None

    def __getitem__(self, key: str) -> Any:
        return self.body.get(key)

    @property
    def body(self) -> dict[str, Any]:
        """The body where it is an object; an empty one in place of one that was cut."""
        match self.sent:
            case str():
                return {}
            case {**body}:
                return body
            case _:
                return _refuse()

    @property
    def page(self) -> int:
        page = self.query.get("page", "1")
        return int(page) if page.isdecimal() else _refuse()

    @property
    def criteria(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, value) for name, value in self.query.items() if name != "page")

    @property
    def conditions(self) -> list[dict[str, Any]]:
        match self["payload"]:
            case [dict(), *_] as conditions:
                return [{key: each[key] for key in each if key != "query_operator"} for each in conditions]
            case _:
                return _refuse()

    @property
    def contact_id(self) -> Any:
        """The contact that a filter of conversations asks for."""
        match self.conditions[0]:
            case {"values": [value]}:
                return value
            case _:
                return _refuse()

    @property
    def found(self) -> dict[str, str]:
        """The e-mail of the one contact that was found by something else: asked for by it, the answer is the same."""
        match self.answer:
            case {"payload": [{"email": str(email)}]}:
                return {"email": email}
            case {"payload": [_, *_]}:
                return _refuse()
            case _:
                return {"email": "nobody@nowhere.test"}

    @property
    def form(self) -> tuple[dict[str, Any], tuple[File, ...]]:
        match self.sent:
            case [[str(), _], *_] as pairs:
                files = [name for name, _ in pairs if name == "attachments[]"]
                return {name: value for name, value in pairs if name != "attachments[]"}, (_FILE,) * len(files)
            case _:
                return _refuse()


def _nothing(_: Asked) -> tuple[Any, ...]:
    return ()


@dataclass(frozen=True)
class Way:
    """``name``: a method of the client, ``family.method``, or a function of ``writes``. # in ``path`` is an id.

    ``arguments``: what follows the ids. ``read``: how a write's answer is read. ``at``: where in the answer that is
    which the call gives. ``loose``: just such a request was never recorded; any of its endpoint has the same answer.
    """

    name: str
    method: str
    path: str
    arguments: Callable[[Asked], tuple[Any, ...]] = field(default=_nothing)
    at: tuple[str, ...] = ("",)
    read: Callable[[Any, Ids], Any] | None = None
    loose: bool = False

    @property
    def is_write(self) -> bool:
        return "." not in self.name

    def ids(self, exchange: Exchange) -> Ids | None:
        if exchange.method != self.method:
            return None
        found = re.fullmatch(re.escape(self.path).replace(r"\#", r"(\d+)"), exchange.path)
        return found and tuple(map(int, found.groups()))

    async def call(self, client: Chatwoot, ids: Ids, asked: Asked) -> Any:
        arguments = self.arguments(asked)
        if self.is_write:
            write = getattr(writes, self.name.partition(" ")[0])
            answer = await client.perform(write(*ids, *arguments))
            return self.read(answer, ids) if self.read else answer
        family, _, method = self.name.partition(".")
        if self.name == "contacts.with_any":
            return await client.contacts.with_any(ids[0], 1, **asked.found)
        return await getattr(getattr(client, family), method)(*ids, *arguments)


READS: Final = (
    Way("accounts.profile", "GET", "/api/v1/profile"),
    Way("accounts.show", "GET", _A),
    Way("accounts.about", "GET", "/api"),
    Way("agents.list", "GET", f"{_A}/agents"),
    Way("teams.list", "GET", f"{_A}/teams"),
    Way("teams.members", "GET", f"{_A}/teams/#/team_members"),
    Way("inboxes.list", "GET", f"{_A}/inboxes", at=("payload",)),
    Way("inboxes.members", "GET", f"{_A}/inbox_members/#", at=("payload",)),
    Way("inboxes.agent_bot", "GET", f"{_A}/inboxes/#/agent_bot", at=("agent_bot/name",)),
    Way(
        "inboxes.assignable_agents",
        "GET",
        f"{_A}/assignable_agents",
        lambda asked: (int(asked.query.get("inbox_ids[]", "0")),),
        at=("payload",),
    ),
    Way("settings.labels", "GET", f"{_A}/labels", at=("payload",)),
    Way("settings.canned_responses", "GET", f"{_A}/canned_responses"),
    Way("settings.custom_attributes", "GET", f"{_A}/custom_attribute_definitions"),
    Way("contacts.show", "GET", f"{_A}/contacts/#", at=("payload",)),
    Way("contacts.conversations", "GET", f"{_A}/contacts/#/conversations", at=("payload",)),
    Way(
        "contacts.by_source_id",
        "POST",
        f"{_A}/contact_inboxes/filter",
        lambda asked: (asked["inbox_id"], asked["source_id"]),
    ),
    Way(
        "contacts.search",
        "GET",
        f"{_A}/contacts/search",
        lambda asked: (asked.query.get("q", ""), asked.page),
        at=("payload",),
    ),
    Way(
        "contacts.newest_named",
        "GET",
        f"{_A}/contacts/search",
        lambda asked: (asked.query.get("q", ""),),
        at=("payload",),
        loose=True,
    ),
    Way("contacts.with_any", "POST", f"{_A}/contacts/filter", at=("payload", "meta/count"), loose=True),
    Way("conversations.show", "GET", _CONVERSATION),
    Way("conversations.labels", "GET", f"{_CONVERSATION}/labels", at=("payload",)),
    Way(
        "conversations.page",
        "GET",
        f"{_A}/conversations",
        lambda asked: (asked.criteria, asked.page),
        at=("data/payload", "data/meta"),
    ),
    Way(
        "conversations.filter",
        "POST",
        f"{_A}/conversations/filter",
        lambda asked: (asked.conditions, asked.page),
        at=("payload", "meta"),
    ),
    Way(
        "conversations.of_contact",
        "POST",
        f"{_A}/conversations/filter",
        lambda asked: (asked.contact_id, asked.page),
        at=("payload",),
    ),
    Way(
        "conversations.messages",
        "GET",
        f"{_CONVERSATION}/messages",
        lambda asked: (asked.query.get("before"),),
        at=("payload",),
    ),
    Way("conversations.create", "POST", f"{_A}/conversations", lambda asked: (asked.body,)),
)
WRITES: Final = (
    Way(
        "set_status",
        "POST",
        f"{_CONVERSATION}/toggle_status",
        lambda asked: (asked["status"], asked["snoozed_until"]),
    ),
    Way(
        "set_priority",
        "PATCH",
        _CONVERSATION,
        lambda asked: (asked["priority"],),
        read=lambda data, ids: read_conversation(data, ids[1]),
    ),
    Way("assign_agent", "POST", f"{_CONVERSATION}/assignments", lambda asked: (asked["assignee_id"],)),
    Way("assign_team", "POST", f"{_CONVERSATION}/assignments", lambda asked: (asked["team_id"],)),
    Way("replace_labels", "POST", f"{_CONVERSATION}/labels", lambda asked: (asked["labels"],)),
    Way(
        "replace_custom_attributes",
        "POST",
        f"{_CONVERSATION}/custom_attributes",
        lambda asked: (asked["custom_attributes"],),
    ),
    Way(
        "create_message",
        "POST",
        f"{_CONVERSATION}/messages",
        lambda asked: (asked.body,),
        read=lambda data, ids: read_message(data, ids[1]),
    ),
    Way(
        "create_message with files",
        "POST",
        f"{_CONVERSATION}/messages",
        lambda asked: asked.form,
        read=lambda data, ids: read_message(data, ids[1]),
    ),
    Way(
        "create_contact",
        "POST",
        f"{_A}/contacts",
        lambda asked: (asked.body,),
        at=("payload/contact",),
        read=lambda data, _: read_created_contact(data),
    ),
    Way(
        "update_contact",
        "PATCH",
        f"{_A}/contacts/#",
        lambda asked: (asked.body,),
        at=("payload",),
        read=lambda data, ids: read_contact(data, ids[1]),
    ),
    Way(
        "add_contact_to_inbox",
        "POST",
        f"{_A}/contacts/#/contact_inboxes",
        lambda asked: (asked["inbox_id"],),
        at=("source_id",),
        read=lambda data, _: read_source_id(data),
    ),
)
WAYS: Final = (*READS, *WRITES)
