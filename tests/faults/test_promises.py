"""What each tool promises of each of its writes, whatever becomes of the write or of its answer.

Every row of ``WRITES`` meets every row of ``CUTS``: with a colleague's identical write made just before or meanwhile,
or long ago, by somebody else or by the token's own owner, with a reply of theirs before the same call again, with
stamps on and off, with and without an idempotency key, with Liquid in the text, and with the shared state away. Each
time, what the result says is held against what the sandbox then holds:

- a success names the row that this call made, and there is exactly one; a message that is shown is that of this call,
  as it is, and its text is said to be another one only where it is;
- an error says ``outcome_unknown``, or nothing was done;
- an error that is ``retryable`` can be followed by the same call, and there is one effect in the end;
- the same call with the same key, from another process, finds what the first one did; where Chatwoot keeps no mark,
  from the same one;
- what a change calls applied is so, and what it calls not applied is not;
- the steps of an escalation are each true.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final, Literal, cast

import httpx
import pytest

from chatwoot_mcp.errors import as_failure
from chatwoot_mcp.settings import Settings
from chatwoot_mcp.web.callers import Caller
from chatwoot_mcp.web.shared import Shared
from chatwoot_sandbox import Fault, Sandbox
from chatwoot_tools import Policy, ToolFailure
from chatwoot_tools.registry import TOOLS
from support import BASE_URL, Bench

Says = Literal["done", "nothing", "unknown"]
Colleague = Literal["nobody", "long before", "before", "meanwhile", "after"]
_TOOLS: Final = {tool.name: tool for tool in TOOLS}
_DONE: Final = {"done", "already_done"}
_ROWS: Final = {
    "conversations": "SELECT display_id AS id FROM conversations WHERE account_id = 1",
    "contacts": "SELECT id FROM contacts",
    "messages": "SELECT id FROM messages WHERE message_type = 1",  # of people, not Chatwoot's own
}


@dataclass(frozen=True)
class Write:
    """A call, and the one of its writes that is cut. ``table``: where its effect is a new row, else it is a change.

    ``look``: the request by which its effect is looked for. ``colleague``: the same write by hand, with the path below
    the account; of a message it has the same words, of a conversation the same contact and inbox. ``then``: what a
    change makes of the conversation.
    """

    tool: str
    arguments: dict[str, Any]
    method: str
    path: str
    table: str | None
    look: tuple[str, str]
    colleague: tuple[str, str, dict[str, Any]] | None = None
    then: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_unseen(self) -> bool:
        """Whether no look goes before it: that it is not so afterwards does not tell that it was not made."""
        return self.tool == "update_conversation" and "custom_attributes" not in self.arguments

    @property
    def has_key(self) -> bool:
        return "idempotency_key" in _TOOLS[self.tool].input.model_fields

    def arrives(self, method: str, path: str) -> bool:
        """Whether a request is this write."""
        return method == self.method and re.search(self.path, path) is not None


_MESSAGES: Final = ("GET", r"/messages$")
_OF_CONTACT: Final = ("GET", r"/contacts/\d+/conversations$")
_SHOW: Final = ("GET", r"/conversations/4$")
_HELLO: Final = {"content": "Hello", "private": False}
_NOTE: Final = {"content": "Look", "private": True}


def _change(name: str, asked: Any, method: str, path: str, colleague: tuple[str, str, dict[str, Any]]) -> Write:
    field_name, then = {"set_labels": "labels"}.get(name, name), {"support": 1, "none": None}
    made = {field_name: then.get(asked, asked) if isinstance(asked, str) else asked}
    return Write("update_conversation", {"conversation_id": 4, name: asked}, method, path, None, _SHOW, colleague, made)


_CHANGES: Final[dict[str, tuple[Any, str, str, tuple[str, str, dict[str, Any]]]]] = {
    "status": (
        "resolved", "POST", r"/toggle_status$",
        ("POST", "/conversations/4/toggle_status", {"status": "resolved"}),
    ),
    "priority": ("low", "PATCH", r"/conversations/4$", ("PATCH", "/conversations/4", {"priority": "low"})),
    "team": ("support", "POST", r"/assignments$", ("POST", "/conversations/4/assignments", {"team_id": 1})),
    "assignee": ("none", "POST", r"/assignments$", ("POST", "/conversations/4/assignments", {"assignee_id": 0})),
    "set_labels": (["vip"], "POST", r"/labels$", ("POST", "/conversations/4/labels", {"labels": ["vip"]})),
    "custom_attributes": (
        {"order": "A-1"}, "POST", r"/custom_attributes$",
        ("POST", "/conversations/4/custom_attributes", {"custom_attributes": {"order": "A-1"}}),
    ),
}  # fmt: skip

WRITES: Final = {
    "create_conversation": Write(
        "create_conversation", {"inbox_id": 2, "contact_id": 1, "message": {"content": "Hello"}},
        "POST", r"/conversations$", "conversations", _OF_CONTACT,
        ("POST", "/conversations", {"inbox_id": 2, "contact_id": 1, "message": _HELLO}),
    ),
    "create_conversation, in a locked inbox": Write(
        "create_conversation",
        {"inbox_id": 16, "contact_id": 1, "source_id": "jane-vip", "message": {"content": "Hello"}},
        "POST", r"/conversations$", "messages", _MESSAGES,
        ("POST", "/conversations", {"inbox_id": 16, "contact_id": 1, "source_id": "jane-vip", "message": _HELLO}),
    ),
    "reply_to_conversation": Write(
        "reply_to_conversation", {"conversation_id": 4, "content": "Hello"},
        "POST", r"/messages$", "messages", _MESSAGES, ("POST", "/conversations/4/messages", _HELLO),
    ),
    "add_private_note": Write(
        "add_private_note", {"conversation_id": 4, "content": "Look"},
        "POST", r"/messages$", "messages", _MESSAGES, ("POST", "/conversations/4/messages", _NOTE),
    ),
    "save_contact, new": Write(
        "save_contact", {"email": "new@customers.test", "name": "Nora"}, "POST", r"/contacts$", "contacts",
        ("POST", r"/contacts/filter$"),
    ),
    "save_contact, new by name": Write(
        "save_contact", {"name": "Nora"}, "POST", r"/contacts$", "contacts", ("GET", r"/contacts/search$"),
        ("POST", "/contacts", {"name": "Nora"}),
    ),
    "save_contact, changed": Write(
        "save_contact", {"contact_id": 1, "name": "Jane D."}, "PATCH", r"/contacts/1$", None, ("GET", r"/contacts/1$"),
        ("PATCH", "/contacts/1", {"name": "Jane D."}),
    ),
    **{f"update_conversation, {field}": _change(field, *how) for field, how in _CHANGES.items()},
}  # fmt: skip

_ESCALATION: Final = {
    "summary": "Look", "message": "Hello", "team": "support", "assignee": "Bob Agent", "labels": ["vip"],
    "priority": "low",
}  # fmt: skip
_OLD: Final = {**_ESCALATION, "conversation_id": 4}
_NEW: Final = {**_ESCALATION, "email": "nora@customers.test", "name": "Nora", "inbox": "2"}

ESCALATIONS: Final = {
    f"escalate_to_human, {step}": Write("escalate_to_human", arguments, method, path, None, look, colleague)
    for step, (arguments, method, path, look, colleague) in {
        "contact": (_NEW, "POST", r"/contacts$", ("POST", r"/contacts/filter$"), None),
        "conversation": (_NEW, "POST", r"/conversations$", _OF_CONTACT, None),
        "message and note": (_OLD, "POST", r"/messages$", _MESSAGES, ("POST", "/conversations/4/messages", _NOTE)),
        "status": (_OLD, "POST", r"/toggle_status$", _SHOW, None),
        "team": (_OLD, "POST", r"/assignments$", _SHOW, ("POST", "/conversations/4/assignments", {"team_id": 1})),
        "labels": (_OLD, "POST", r"/labels$", _SHOW, None),
        "priority": (_OLD, "PATCH", r"/conversations/4$", _SHOW, None),
    }.items()
}


@dataclass(frozen=True)
class Cut:
    """What becomes of the write, and then of the looks for it; and what is said, where only one thing is true.

    ``looks``: so many answers to looks are a 500 (a read is sent again once after one).
    """

    kind: Literal["cut_before", "cut_after", "broken", "status", "status_after"]
    says: Says
    status: int = 500
    looks: int = 0

    def of_write(self, write: Write) -> Fault:
        return Fault(self.kind, write.method, write.path, times=1, status=self.status)

    def of_looks(self, write: Write) -> list[Fault]:
        return [Fault("status", *write.look, times=self.looks, status=500)] if self.looks else []


CUTS: Final = {
    "lost on its way": Cut("cut_before", "nothing"),
    "answer lost": Cut("cut_after", "done"),
    "half an answer": Cut("broken", "done"),
    "500 instead of it": Cut("status", "nothing", 500),
    "502 instead of it": Cut("status", "nothing", 502),
    "504 while it may go on": Cut("status", "unknown", 504),
    "500 after it": Cut("status_after", "done", 500),
    "502 after it": Cut("status_after", "done", 502),
    "504 after it": Cut("status_after", "done", 504),
    "answer lost, a look fails": Cut("cut_after", "done", looks=2),
    "answer lost, two looks fail": Cut("cut_after", "done", looks=4),
    "answer lost, all looks fail": Cut("cut_after", "unknown", looks=99),
    "lost on its way, all looks fail": Cut("cut_before", "unknown", looks=99),
    "504 after it, all looks fail": Cut("status_after", "unknown", 504, looks=99),
}


@dataclass(frozen=True)
class Around:
    """Under which circumstances. ``colleague``: whether somebody writes the same long before, just before, or at that
    moment; ``after``: something else, before the same call is made again. ``by_owner``: the token's owner by hand.
    """

    colleague: Colleague
    stamp: bool
    key: str | None
    shared_is_away: bool = False
    chatwoot: str = "4.15"
    by_owner: bool = False
    liquid: bool = False

    @property
    def token(self) -> str:
        return "sandbox-admin" if self.by_owner else "sandbox-agent"

    def worded(self, value: Any) -> Any:
        """Arguments, or the body of a request, with Liquid in the texts where that is the circumstance."""
        if isinstance(value, dict):
            return {key: self.worded(each) for key, each in cast("dict[str, Any]", value).items()}
        is_text = isinstance(value, str) and value in {"Hello", "Look"}
        return f"{value} {{{{contact.name}}}}" if self.liquid and is_text else value

    def __str__(self) -> str:
        parts = [f"{self.colleague} (the owner)" if self.by_owner else self.colleague, *(["Liquid"] * self.liquid)]
        parts += ["stamps" if self.stamp else "no stamps", "key" if self.key else "no key"]
        parts += ["shared state away"] if self.shared_is_away else []
        return ", ".join([*parts, f"Chatwoot {self.chatwoot}"])


KEPT: Final[list[dict[str, Any]]] = [{}, {"stamp": False}, {"chatwoot": "4.7"}]
"""Whether what we write can carry a mark."""
BESIDE: Final[list[tuple[Colleague, bool]]] = [
    ("before", True), ("long before", True), ("long before", False), ("after", False), ("after", True),
]  # fmt: skip
"""Who writes by hand, and when; whether it is the token's owner."""
USUAL: Final = [Around("nobody", stamp=True, key="k"), Around("before", stamp=True, key=None)]
ODD: Final = [
    *(
        Around(colleague, stamp, key)
        for colleague, stamp, key in product(("nobody", "before"), (True, False), ("k", None))
    ),
    # With stamps off, words are all there is to tell two writes of the same moment apart.
    *(Around("meanwhile", stamp=True, key=key) for key in ("k", None)),
    Around("nobody", stamp=True, key="k", shared_is_away=True),
    # 4.7 and older drop marks on messages, and find no contact by its name alone.
    *(Around(colleague, stamp=True, key="k", chatwoot="4.7") for colleague in ("nobody", "before", "meanwhile")),
    *(
        replace(Around(colleague, stamp=True, key="k", by_owner=by_owner), **kept)
        for colleague, by_owner in BESIDE
        for kept in KEPT
    ),
    *(
        replace(Around(colleague, True, "k", liquid=True), **kept)
        for colleague in ("nobody", "before")
        for kept in KEPT
    ),
]


@dataclass
class Stage:
    """A sandbox in which a write is about to be cut, and what a colleague made meanwhile."""

    sandbox: Sandbox
    write: Write
    around: Around
    before: dict[str, set[int]] = field(init=False)
    theirs: dict[str, set[int]] = field(init=False)
    had_colleague: bool = False
    then: list[Fault] = field(default_factory=list[Fault])
    """What goes wrong once the write has arrived."""

    def __post_init__(self) -> None:
        self.before = self.rows()
        self.theirs = {table: set() for table in _ROWS}

    def bench(self) -> Bench:
        """A process of its own."""
        bench = Bench(self.sandbox, policy=Policy(stamp=self.around.stamp), app=self.app)
        if self.around.shared_is_away:
            settings = Settings.model_validate(
                {"base_url": "https://desk.acme.test", "api_token": bench.token, "redis_url": "redis://127.0.0.1:1/0"}
            )
            bench.desk.ledger = Shared(settings).ledger(BASE_URL, Caller("helpdesk", bench.token))
        return bench

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """The sandbox; a colleague may write just before the write that is cut arrives."""
        arrives = self.write.arrives(scope["method"], scope["path"])
        if arrives and self.around.colleague == "meanwhile":
            await self.colleague_writes()
        try:
            await self.sandbox.app(scope, receive, send)
        finally:
            while arrives and self.then:
                self.sandbox.faults.add(self.then.pop())

    async def colleague_writes(self) -> None:
        if self.write.colleague is None or self.had_colleague:
            return
        self.had_colleague = True
        method, path, body = self.write.colleague
        await self.by_hand(method, path, self.around.worded(body))
        if self.around.colleague == "long before":
            for table, ids in self.theirs.items():
                column = "display_id" if table == "conversations" else "id"
                query = f"UPDATE {table} SET created_at = created_at - 200000 WHERE {column} = ?"  # noqa: S608
                for each in ids:
                    self.sandbox.store.execute(query, each)

    async def by_hand(self, method: str, path: str, body: dict[str, Any]) -> None:
        before = self.rows()
        await self.ask(method, path, body, token=self.around.token)
        for table, ids in self.rows().items():
            self.theirs[table] |= ids - before[table]

    async def somebody_replies(self) -> None:
        """In the conversation that was opened, or written into."""
        opened = self.ours("conversations")
        written = (
            "SELECT c.display_id AS id FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = ?"
        )
        rows = [row["id"] for each in self.ours("messages") for row in self.sandbox.store.rows(written, each)]
        for conversation_id in [*opened, *rows][:1]:
            body = {"content": "I take over", "private": False}
            await self.by_hand("POST", f"/conversations/{conversation_id}/messages", body)

    async def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str = "sandbox-admin"
    ) -> dict[str, Any]:
        """What Chatwoot answers a person's browser, with no tool of ours between, and no fault."""
        transport = httpx.ASGITransport(app=self.sandbox.gate._app)  # pyright: ignore[reportPrivateUsage]
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            headers = {"api_access_token": token}
            answer = await http.request(method, f"/api/v1/accounts/1{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json())

    def rows(self) -> dict[str, set[int]]:
        return {table: {row["id"] for row in self.sandbox.store.rows(query)} for table, query in _ROWS.items()}

    def ours(self, table: str) -> set[int]:
        return self.rows()[table] - self.before[table] - self.theirs[table]

    async def state(self) -> dict[str, Any]:
        """Contact 1 and conversation 4, by the names that the tools use."""
        now, contact = await self.ask("GET", "/conversations/4"), await self.ask("GET", "/contacts/1")
        team, assignee = now["meta"].get("team"), now["meta"].get("assignee")
        return {
            "status": now["status"],
            "priority": now["priority"],
            "team": team["id"] if team else None,
            "assignee": assignee["id"] if assignee else None,
            "labels": sorted(now["labels"]),
            "custom_attributes": now["custom_attributes"],
            "name": contact["payload"]["name"],
        }


Said = dict[str, Any] | ToolFailure


async def call(stage: Stage, bench: Bench) -> Said:
    write, key = stage.write, stage.around.key
    keyed = {"idempotency_key": key} if key and write.has_key else {}
    try:
        return await bench.call(write.tool, **stage.around.worded(write.arguments), **keyed)
    except Exception as error:  # noqa: BLE001 - whatever it was is what it said
        return as_failure(error)


def what_it_says(said: Said) -> Says:
    if isinstance(said, ToolFailure):
        return "unknown" if said.code == "outcome_unknown" else "nothing"
    return "done"


async def lies_of_a_new_row(stage: Stage, said: Said) -> list[str]:
    table = stage.write.table
    assert table is not None
    ours = stage.ours(table)
    if isinstance(said, ToolFailure):
        return [f"{said.code} ({said.text}), and there is {ours}"] if ours and said.code != "outcome_unknown" else []
    shown = said.get(table.removesuffix("s"))
    if shown is None and len(ours) == 1:
        return []  # a message that is not shown any more
    named = shown["id"] if shown else None
    lies = [] if ours == {named} else [f"{said['outcome']} {named}, and there is {ours} of ours"]
    return [*lies, *lies_about_the_message(stage, said)]


def lies_about_the_message(stage: Stage, said: dict[str, Any]) -> list[str]:
    """The one that is shown is ours, as it is; of its text it is said that it is another one where it is so."""
    wanted = stage.around.worded(stage.write.arguments)
    asked, shown = wanted.get("content", wanted.get("message", {}).get("content")), said.get("message")
    if asked is None:
        return []
    if shown is None:
        return [] if said.get("warnings") else [f"no message is shown, and nothing is said of it: {said}"]
    [row] = stage.sandbox.store.rows("SELECT content FROM messages WHERE id = ?", shown["id"])
    lies = [] if shown["id"] in stage.ours("messages") else [f"message {shown['id']} is shown, and is not ours"]
    lies += [] if shown["content"] == row["content"] else [f"shown {shown}, and it is {row}"]
    told = "message.content" in str(said.get("not_applied")) or "Chatwoot changed" in str(said.get("warnings"))
    return lies if told == (row["content"] != asked) else [*lies, f"asked {asked}, there is {row}, and said is {said}"]


async def lies_of_a_change(stage: Stage, said: Said, was: dict[str, Any]) -> list[str]:
    now = await stage.state()
    if isinstance(said, ToolFailure):
        changed = now != was and not stage.had_colleague
        return [f"{said.code} ({said.text}), and it is {now}"] if changed and said.code != "outcome_unknown" else []
    if stage.write.tool == "save_contact":
        return [] if said["contact"]["name"] == now["name"] else [f"shown {said['contact']}, and it is {now}"]
    return lies_about_the_conversation(said, stage.write.then, now)


def lies_about_the_conversation(said: dict[str, Any], then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """A conversation that is shown is as it is, and so is what is said of each field."""
    shown = said.get("conversation")
    seen = {} if shown is None else as_it_is_shown(shown)
    lies = [f"{key} is shown as {value}, and is {now[key]}" for key, value in seen.items() if now[key] != value]
    lies += [
        f"applied {key}, and it is {now[key]}" for key, value in then.items() if said["applied"] and now[key] != value
    ]
    for entry in said["not_applied"]:
        name = "labels" if entry["field"] == "set_labels" else entry["field"]
        if now[name] != entry.get("actual"):
            lies.append(f"not_applied {entry}, and it is {now[name]}")
    return lies


def as_it_is_shown(shown: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": shown["status"],
        "priority": shown.get("priority"),
        "team": shown.get("team", {}).get("id"),
        "assignee": shown.get("assignee", {}).get("id"),
        "labels": sorted(shown.get("labels", [])),
        "custom_attributes": shown.get("custom_attributes", {}),
    }


async def lies_of_an_escalation(stage: Stage, said: Said) -> list[str]:
    """Each step against what there is. An error means that no conversation was opened, and nothing written."""
    made = {table: stage.ours(table) for table in _ROWS}
    if isinstance(said, ToolFailure):
        silent = said.code != "outcome_unknown" and (made["conversations"] or made["messages"])
        return [f"{said.code} ({said.text}), and there is {made}"] if silent else []
    conversation_id = said["conversation_id"]
    now = await stage.ask("GET", f"/conversations/{conversation_id}")
    everything = stage.sandbox.store.rows("SELECT id, content FROM messages")
    words = [row["content"] for row in everything if row["id"] in made["messages"]]
    team, assignee = now["meta"].get("team"), now["meta"].get("assignee")
    times = {word: sum(each.startswith(word) for each in words) for word in ("Hello", "Look")}  # Liquid adds to them
    so = {
        "message": times["Hello"] == 1,
        "note": times["Look"] == 1,
        "status": now["status"] == "open",
        "team": bool(team) and team["id"] == 1,
        "assignee": bool(assignee) and assignee["name"] == "Bob Agent",
        "labels": "vip" in now["labels"],
        "priority": now["priority"] == "low",
    }
    lies = [f"twice: {word}" for word, count in times.items() if count > 1]
    steps = {step["step"]: step["status"] for step in said["steps"]}
    for step, is_so in so.items():
        told = steps[step]
        if told in _DONE and not is_so:
            lies.append(f"{step} is {told}, and it is not so")
        if told in {"failed", "not_applied", "skipped"} and is_so:
            lies.append(f"{step} is {told}, and it is so")
    if said["complete"] != all(status in _DONE for status in steps.values()):
        lies.append(f"complete: {said['complete']}, and the steps are {steps}")
    return lies


async def lies(stage: Stage, said: Said, was: dict[str, Any]) -> list[str]:
    if stage.write.tool == "escalate_to_human":
        return await lies_of_an_escalation(stage, said)
    if stage.write.table is None:
        return await lies_of_a_change(stage, said, was)
    return await lies_of_a_new_row(stage, said)


async def found_again(stage: Stage, said: Said, same: Bench) -> list[str]:
    """What the same call makes of it, where this is promised: there is one effect in the end.

    It is made from another process, or from the same one where only that one's memory tells.
    """
    write, around = stage.write, stage.around
    is_change = write.table is None and write.tool != "escalate_to_human"
    keeps_marks = around.stamp and (around.chatwoot == "4.15" or write.table == "conversations")
    finds_its_own = keeps_marks and (write.tool == "escalate_to_human" or (around.key and write.has_key))
    # An escalation does not remember its messages: where no mark tells, its steps are unknown, and not sent again.
    remembers = bool(around.key) and write.table is not None and write.has_key and isinstance(said, dict)
    may_retry = isinstance(said, ToolFailure) and said.retryable
    if not (is_change or finds_its_own or remembers or may_retry):
        return []
    stage.sandbox.faults.clear()
    if around.colleague == "after":
        await stage.somebody_replies()
    bench = same if remembers and not finds_its_own else stage.bench()
    again = await call(stage, bench)
    await bench.aclose()
    if isinstance(again, ToolFailure):
        return [f"called again: {again.code} ({again.text})"]
    if stage.write.tool == "escalate_to_human":
        told = await lies_of_an_escalation(stage, again)
        left = {each["status"] for each in again["steps"]} - {"done", "already_done"}
        # The owner's own words of today may be an earlier call's, until an answer shows that this Chatwoot keeps marks.
        words_alone = around.by_owner and around.colleague == "before"
        is_done = again["complete"] or (words_alone and left == {"unknown"})
        return [*told, *([] if is_done else [f"called again, not complete: {again['steps']}"])]
    if stage.write.table is None:
        return await lies_of_a_change(stage, again, {})
    return await lies_of_a_new_row(stage, again)


@pytest.mark.parametrize("circumstances", [USUAL, pytest.param(ODD, marks=pytest.mark.long)], ids=["usual", "odd"])
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("write", [*WRITES, *ESCALATIONS])
async def test_what_is_said_is_what_happened(write: str, cut: str, circumstances: list[Around]) -> None:
    row = {**WRITES, **ESCALATIONS}[write]
    told: list[str] = []
    for around in circumstances:
        sandbox = Sandbox(chatwoot=around.chatwoot)
        try:
            told += [f"{around}: {lie}" for lie in await cut_once(Stage(sandbox, row, around), CUTS[cut])]
        finally:
            sandbox.close()
    assert told == []


async def cut_once(stage: Stage, cut: Cut) -> list[str]:
    """The lies told in one case."""
    if stage.around.colleague == "before":
        await stage.colleague_writes()
    was = await stage.state()
    bench = stage.bench()
    await bench.call("get_workspace", include=["inboxes", "agents", "teams", "labels"])
    stage.sandbox.faults.add(cut.of_write(stage.write))
    stage.then = cut.of_looks(stage.write)
    said = await call(stage, bench)
    told = await lies(stage, said, was)
    plain = stage.around == Around("nobody", stamp=True, key="k") and stage.write.tool != "escalate_to_human"
    known: Says = "unknown" if stage.write.is_unseen and cut.says == "nothing" else cut.says
    if plain and what_it_says(said) != known:
        told.append(f"it says {what_it_says(said)}, where {known} is known: {said}")
    if stage.around.shared_is_away and stage.write.has_key and isinstance(said, dict):
        told += (
            [] if "shared with other replicas" in str(said.get("warnings")) else ["nothing is said of the lost state"]
        )
    told += await found_again(stage, said, bench)
    await bench.aclose()
    return told


@pytest.mark.parametrize("cut", [*CUTS, "cancelled, and all goes well"])
@pytest.mark.parametrize("write", [*WRITES, *ESCALATIONS])
async def test_a_cancelled_call_finishes_the_write_under_way_and_begins_no_other(write: str, cut: str) -> None:
    """Nobody hears what it says; Chatwoot holds one effect at most, and the same call goes on from there."""
    row = {**WRITES, **ESCALATIONS}[write]
    sandbox = Sandbox()
    try:
        stage = Stage(sandbox, row, Around("nobody", stamp=True, key="k"))
        calls: list[asyncio.Task[Any]] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if row.arrives(scope["method"], scope["path"]):
                calls[0].cancel()
                await asyncio.sleep(0)
            await stage.app(scope, receive, send)

        bench = Bench(sandbox, app=app)
        await bench.call("get_workspace", include=["inboxes", "agents", "teams", "labels"])
        if cut in CUTS:
            sandbox.faults.add(CUTS[cut].of_write(row))
            stage.then = CUTS[cut].of_looks(row)
        context = bench.desk.open_call()
        arguments = {**row.arguments, **({"idempotency_key": "k"} if row.has_key else {})}
        work = _TOOLS[row.tool].call(arguments, context)
        calls.append(asyncio.create_task(bench.desk.run_write(work, context.budget)))
        await asyncio.gather(*calls, return_exceptions=True)
        assert calls[0].cancelled()
        await bench.desk.aclose()
        sent = [(each.method, each.path) for each in sandbox.requests if each.method != "GET"]
        [cut_at, *_] = [at for at, each in enumerate(sent) if row.arrives(*each)]
        assert [each for each in sent[cut_at + 1 :] if not each[1].endswith("/filter")] == []
        assert await found_again(stage, {}, bench) == []
        await bench.aclose()
    finally:
        sandbox.close()
