"""Contacts: lists, search, one record, its inboxes, conversations and labels."""

from __future__ import annotations

import re
import uuid
from typing import Any, Final, cast

from chatwoot_sandbox.api.conversations import accessible, page_number, page_tail
from chatwoot_sandbox.call import Call, Empty, Endpoint
from chatwoot_sandbox.rails import InternalError, RecordInvalid, Refusal, ResourceNotFound, Unprocessable, leading_int
from chatwoot_sandbox.records.access import can_see_inbox, require_inbox
from chatwoot_sandbox.records.conversations import DetailMissing, build_contact_inbox, find_contact, present, truthy
from chatwoot_sandbox.records.labels import labels, replace_labels
from chatwoot_sandbox.shapes.conversations import by_id, contact_inbox_view, contact_view, conversation_view
from chatwoot_sandbox.shapes.inboxes import slim_inbox
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store

PER_PAGE: Final = 15
_RESOLVED: Final = "(coalesce(email, '') <> '' OR coalesce(phone_number, '') <> '' OR coalesce(identifier, '') <> '')"
_SORTS: Final = {
    "name": "lower(name)",
    "email": "email",
    "phone_number": "phone_number",
    "last_activity_at": "last_activity_at",
    "created_at": "created_at",
    "company_name": "json_extract(additional_attributes, '$.company_name')",
    "city": "json_extract(additional_attributes, '$.city')",
    "country": "json_extract(additional_attributes, '$.country')",
}
_HUMAN: Final = {"email": "Email", "identifier": "Identifier", "phone_number": "Phone number"}
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_E164: Final = re.compile(r"\+[1-9]\d{1,14}", re.ASCII)
_STRING: Final = 255


def _order(call: Call) -> str:
    sort = call.one("sort") or ""
    column = _SORTS.get(sort.removeprefix("-"))
    return "id" if column is None else f"{column} {'DESC' if sort.startswith('-') else 'ASC'} NULLS LAST, id"


def _views(call: Call, rows: list[Row]) -> list[Row]:
    inboxes = call.one("include_contact_inboxes") != "false"
    return [contact_view(call.store, row, contact_inboxes=inboxes) for row in rows]


def _one(call: Call) -> Row:
    return find_contact(call, call.path["contact_id"])


def _payload(store: Store, contact_id: int) -> Any:
    contact = by_id(store, "contacts", contact_id)
    if contact is None:
        raise ResourceNotFound
    return {"payload": contact_view(store, contact, contact_inboxes=True)}


def index(call: Call) -> Any:
    """Only contacts with an e-mail, a phone number or an identifier. ``current_page`` echoes the query's text."""
    where, params = f"account_id = ? AND {_RESOLVED}", list[Any]([call.account_id])
    titles = call.query.get("labels[]", [])
    if titles:
        marks = ", ".join("?" * len(titles))
        where += f" AND id IN (SELECT contact_id FROM contact_labels WHERE title IN ({marks}))"  # noqa: S608
        params += titles
    found = call.store.row(f"SELECT count(*) AS n FROM contacts WHERE {where}", *params)  # noqa: S608
    tail = page_tail(page_number(call.one("page")), PER_PAGE)
    rows = call.store.rows(f"SELECT * FROM contacts WHERE {where} ORDER BY {_order(call)} {tail}", *params)  # noqa: S608
    meta = {"count": int(found["n"]) if found else 0, "current_page": call.one("page") or 1}
    return {"meta": meta, "payload": _views(call, rows)}


def search(call: Call) -> Any:
    """All contacts. ``count`` is that of this page; without ``q`` the meta's values are null."""
    text = (call.one("q") or "").strip()
    if not text:
        return {"meta": {"count": None, "current_page": None, "has_more": None}, "payload": []}
    like = "LIKE '%' || ? || '%'"
    older = call.store.version.before(4, 11)
    where = f"account_id = ? AND (name {like} OR email {like} OR phone_number {like} OR instr(identifier, ?))"
    where += f" AND {_RESOLVED}" if older else ""
    params = (call.account_id, text, text, text, text)
    rows = call.store.rows(
        f"SELECT * FROM contacts WHERE {where} ORDER BY {_order(call)}"  # noqa: S608
        f" LIMIT {PER_PAGE + 1} OFFSET {min((page_number(call.one('page')) - 1) * PER_PAGE, 2**62)}",
        *params,
    )
    shown = rows[:PER_PAGE]
    if older:  # the count is that of all pages, and who has nothing but a name is not found
        found = call.store.rows(f"SELECT id FROM contacts WHERE {where}", *params)  # noqa: S608
        meta: Row = {"count": len(found), "current_page": page_number(call.one("page"))}
    else:
        meta = {"count": len(shown), "current_page": call.one("page") or 1, "has_more": len(rows) > PER_PAGE}
    return {"meta": meta, "payload": _views(call, shown)}


def _columns(body: Row) -> Row:
    """The plain columns given; blank texts are none, and the e-mail is lower-cased."""
    values: Row = {}
    for key in ("email", "phone_number", "identifier"):
        if key in body and not isinstance(body[key], dict | list):
            values[key] = str(body[key]) if present(body[key]) else None
    if values.get("email"):
        values["email"] = values["email"].lower()
    if "name" in body and not isinstance(body["name"], dict | list):
        values["name"] = None if body["name"] is None else str(body["name"])
    if "blocked" in body:
        values["blocked"] = int(truthy(body["blocked"]))
    return values


def _validate(store: Store, account_id: int, values: Row, own_id: int | None) -> None:
    wrong: list[tuple[str, str]] = []
    for key, human in _HUMAN.items():
        value = values.get(key)
        if value is None:
            continue
        taken = store.row(
            f"SELECT 1 FROM contacts WHERE account_id = ? AND id IS NOT ? AND lower({key}) = lower(?)",  # noqa: S608
            *(account_id, own_id, value),
        )
        if taken is not None:
            wrong.append((key, f"{human} has already been taken"))
        if key == "email" and not _EMAIL.fullmatch(value):
            wrong.append((key, "Email Invalid email"))
        if key == "phone_number" and not _E164.fullmatch(value):
            wrong.append((key, "Phone number should be in e164 format"))
    wrong += [
        (key, f"{key.capitalize().replace('_', ' ')} is too long (maximum is {_STRING} characters)")
        for key in ("name", "email", "phone_number", "identifier")
        if len(values.get(key) or "") > _STRING
    ]
    if wrong:
        raise RecordInvalid(", ".join(text for _, text in wrong), *dict.fromkeys(key for key, _ in wrong))


def _hash(body: Row, key: str) -> Row:
    """The object given; anything else is dropped."""
    value = body.get(key)
    return cast("Row", value).copy() if isinstance(value, dict) else {}


def _raw_inbox(inbox: Row) -> Row:
    flags = ("enable_auto_assignment", "lock_to_single_conversation", "csat_survey_enabled")
    plain = {key: inbox[key] for key in ("id", "account_id", "name", "channel_type")}
    return {**plain, "channel_id": inbox["id"], **{key: bool(inbox[key]) for key in flags}}


def create(call: Call) -> Any:
    """Contact and contact inbox come in one transaction; access to the inbox is not asked for."""
    store, body = call.store, call.body
    values = _columns(body)
    inbox: Row | None = None
    contact_inbox: Row | None = None
    with store.transaction():
        _validate(store, call.account_id, values, None)
        contact_id = store.insert(
            "contacts",
            **{"name": "", **values},
            account_id=call.account_id,
            additional_attributes=json_columns.dump(_hash(body, "additional_attributes")),
            custom_attributes=json_columns.dump(_hash(body, "custom_attributes")),
            created_at=store.now(),
        )
        contact = by_id(store, "contacts", contact_id) or {}
        if present(body.get("inbox_id")):
            inbox = store.row(
                "SELECT * FROM inboxes WHERE id = ? AND account_id = ?",
                leading_int(body["inbox_id"]),
                call.account_id,
            )
            if inbox is None:
                raise ResourceNotFound
            contact_inbox = build_contact_inbox(store, contact, inbox, body.get("source_id"))
    shown = {
        "inbox": _raw_inbox(inbox) if inbox and contact_inbox else None,
        "source_id": contact_inbox["source_id"] if contact_inbox else None,
    }
    return {"payload": {"contact": contact_view(store, contact, contact_inboxes=True), "contact_inbox": shown}}


def show(call: Call) -> Any:
    return _payload(call.store, _one(call)["id"])


def update(call: Call) -> Any:
    """Attributes are merged, top level only."""
    contact = _one(call)
    values = _columns(call.body)
    _validate(call.store, call.account_id, values, contact["id"])
    for key in ("additional_attributes", "custom_attributes"):
        given = _hash(call.body, key)
        if given:
            values[key] = json_columns.dump({**json_columns.load(contact[key]), **given})
    if values:
        call.store.update("contacts", contact["id"], **values)
    return _payload(call.store, contact["id"])


def conversations(call: Call) -> Any:
    """At most 20, newest activity first, of the inboxes that the caller may see."""
    query = accessible(call)
    query.where("c.contact_id = ?", _one(call)["id"])
    rows = query.rows(call.store, "LIMIT 20")
    return {"payload": [conversation_view(call.store, call.actor, row) for row in rows]}


def _contactable_source_id(store: Store, contact: Row, inbox: Row) -> str | None:
    """Where the contact can be written to; None when the inbox cannot start a conversation with it."""
    kind, phone = inbox["channel_type"], contact["phone_number"]
    if kind in {"Channel::Api", "Channel::WebWidget"}:
        last = store.row(
            "SELECT * FROM contact_inboxes WHERE contact_id = ? AND inbox_id = ? ORDER BY id DESC LIMIT 1",
            *(contact["id"], inbox["id"]),
        )
        if kind == "Channel::Api":
            return str(last["source_id"]) if last else str(uuid.uuid4())
        used = last and store.row("SELECT 1 FROM conversations WHERE contact_inbox_id = ?", last["id"])
        return str(last["source_id"]) if last and not used else None
    if kind == "Channel::Email":
        return contact["email"] or None
    if not phone or kind not in {"Channel::Sms", "Channel::Whatsapp", "Channel::TwilioSms"}:
        return None
    if kind == "Channel::Whatsapp":
        return str(phone).removeprefix("+")
    whatsapp = kind == "Channel::TwilioSms" and json_columns.load(inbox["channel"]).get("medium") == "whatsapp"
    return f"whatsapp:{phone}" if whatsapp else str(phone)


def contactable_inboxes(call: Call) -> Any:
    contact = _one(call)
    found: list[Row] = []
    for inbox in call.store.rows("SELECT * FROM inboxes WHERE account_id = ? ORDER BY id", call.account_id):
        source_id = _contactable_source_id(call.store, contact, inbox)
        if source_id and can_see_inbox(call.store, call.actor, inbox["id"]):
            found.append({"inbox": slim_inbox(inbox), "source_id": source_id})
    return {"payload": found}


def create_contact_inbox(call: Call) -> Any:
    """A clash of source ids, a blank one, and a channel that cannot make one are all 500."""
    contact = _one(call)
    if not present(call.body.get("inbox_id")):
        raise ResourceNotFound
    inbox = require_inbox(call, leading_int(call.body["inbox_id"]))
    given = (call.body.get("source_id"), call.body.get("hmac_verified"))
    try:
        made = build_contact_inbox(call.store, contact, inbox, *given)
    except DetailMissing as missing:
        if call.store.version.fails_without_detail:  # but not here
            raise Unprocessable(f"{missing.name} required") from None
        raise
    if made is None:
        raise InternalError
    return contact_inbox_view(call.store, made)


def find_by_source_id(call: Call) -> Any:
    """The bare contact of a source id; 404 without a body when nobody has it."""
    inbox = require_inbox(call, leading_int(call.body.get("inbox_id")))
    found = call.store.row(
        "SELECT * FROM contact_inboxes WHERE inbox_id = ? AND source_id = ?",
        *(inbox["id"], str(call.body.get("source_id"))),
    )
    contact = by_id(call.store, "contacts", found["contact_id"]) if found else None
    if contact is None:
        raise Refusal(404, Empty())
    return contact_view(call.store, contact, contact_inboxes=True)


def list_labels(call: Call) -> Any:
    return {"payload": labels(call.store, "contact", _one(call)["id"])}


def write_labels(call: Call) -> Any:
    contact = _one(call)
    replace_labels(call.store, "contact", contact["id"], call.body.get("labels"))
    return {"payload": labels(call.store, "contact", contact["id"])}


_ONE: Final = "/contacts/{contact_id}"
ROUTES: tuple[tuple[str, str, Endpoint, bool], ...] = (
    ("GET", "/contacts", index, False),
    ("GET", "/contacts/search", search, False),
    ("POST", "/contacts", create, False),
    ("GET", _ONE, show, False),
    ("PUT", _ONE, update, False),
    ("PATCH", _ONE, update, False),
    ("GET", f"{_ONE}/conversations", conversations, False),
    ("GET", f"{_ONE}/contactable_inboxes", contactable_inboxes, False),
    ("POST", f"{_ONE}/contact_inboxes", create_contact_inbox, False),
    ("GET", f"{_ONE}/labels", list_labels, False),
    ("POST", f"{_ONE}/labels", write_labels, False),
    ("POST", "/contact_inboxes/filter", find_by_source_id, False),
)
