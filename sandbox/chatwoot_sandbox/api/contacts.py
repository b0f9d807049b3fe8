"""Contacts: lists, search, one record, its inboxes, conversations and labels."""

from __future__ import annotations

from typing import Any, Final

from chatwoot_sandbox.api.routing import Empty, Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import (
    InternalError,
    Refusal,
    ResourceNotFound,
    Unprocessable,
    leading_int,
    page_number,
    page_tail,
    present,
)
from chatwoot_sandbox.records.access import can_see_inbox, require_inbox
from chatwoot_sandbox.records.contact_inboxes import DetailMissing, build_contact_inbox, find_contactable_source_id
from chatwoot_sandbox.records.contacts import RESOLVED, create_contact, find_contact, update_contact
from chatwoot_sandbox.records.conversation_finder import accessible_conversations
from chatwoot_sandbox.records.filters import contact_filter, page_of_filter
from chatwoot_sandbox.records.labels import replace_labels
from chatwoot_sandbox.shapes.contacts import contact_inbox_view, contact_view
from chatwoot_sandbox.shapes.conversations import conversation_view
from chatwoot_sandbox.shapes.inboxes import raw_inbox, slim_inbox
from chatwoot_sandbox.shapes.labels import labels_of
from chatwoot_sandbox.store.store import Row, Store

PER_PAGE: Final = 15
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


def _sort_order(call: Call) -> str:
    sort = call.one("sort") or ""
    column = _SORTS.get(sort.removeprefix("-"))
    return "id" if column is None else f"{column} {'DESC' if sort.startswith('-') else 'ASC'} NULLS LAST, id"


def _views(call: Call, rows: list[Row]) -> list[Row]:
    inboxes = call.one("include_contact_inboxes") != "false"
    return [contact_view(call.store, row, contact_inboxes=inboxes) for row in rows]


def _find_contact(call: Call) -> Row:
    return find_contact(call, call.path["contact_id"])


def _show_contact(store: Store, contact_id: int) -> Any:
    contact = store.by_id("contacts", contact_id)
    if contact is None:
        raise ResourceNotFound
    return {"payload": contact_view(store, contact, contact_inboxes=True)}


def list_contacts(call: Call) -> Any:
    """Only contacts with an e-mail, a phone number or an identifier. ``current_page`` echoes the query's text."""
    where, params = f"account_id = ? AND {RESOLVED}", list[Any]([call.account_id])
    titles = call.query.get("labels[]", [])
    if titles:
        marks = ", ".join("?" * len(titles))
        where += f" AND id IN (SELECT contact_id FROM contact_labels WHERE title IN ({marks}))"  # noqa: S608
        params += titles
    count = call.store.count(f"SELECT count(*) FROM contacts WHERE {where}", *params)  # noqa: S608
    tail = page_tail(page_number(call.one("page")), PER_PAGE)
    rows = call.store.rows(f"SELECT * FROM contacts WHERE {where} ORDER BY {_sort_order(call)} {tail}", *params)  # noqa: S608
    meta = {"count": count, "current_page": call.one("page") or 1}
    return {"meta": meta, "payload": _views(call, rows)}


def search_contacts(call: Call) -> Any:
    """Of all contacts. ``count`` is of this page; without ``q`` the meta's values are null."""
    text = (call.one("q") or "").strip()
    if not text:
        return {"meta": {"count": None, "current_page": None, "has_more": None}, "payload": []}
    like = "LIKE '%' || ? || '%'"
    older = call.store.version.before(4, 11)
    where = f"account_id = ? AND (name {like} OR email {like} OR phone_number {like} OR instr(identifier, ?))"
    where += f" AND {RESOLVED}" if older else ""
    params = (call.account_id, text, text, text, text)
    rows = call.store.rows(
        f"SELECT * FROM contacts WHERE {where} ORDER BY {_sort_order(call)}"  # noqa: S608
        f" LIMIT {PER_PAGE + 1} OFFSET {min((page_number(call.one('page')) - 1) * PER_PAGE, 2**62)}",
        *params,
    )
    shown = rows[:PER_PAGE]
    if older:  # the count is of all pages, and contacts with nothing but a name are not found
        count = call.store.count(f"SELECT count(*) FROM contacts WHERE {where}", *params)  # noqa: S608
        meta: Row = {"count": count, "current_page": page_number(call.one("page"))}
    else:
        meta = {"count": len(shown), "current_page": call.one("page") or 1, "has_more": len(rows) > PER_PAGE}
    return {"meta": meta, "payload": _views(call, shown)}


def create(call: Call) -> Any:
    """Contact and contact inbox are created in one transaction. Access to the inbox is not checked."""
    with call.store.transaction():
        contact = create_contact(call)
        inbox = _find_inbox(call)
        contact_inbox = None
        if inbox is not None:
            contact_inbox = build_contact_inbox(call.store, contact, inbox, call.body.get("source_id"))
    shown = {
        "inbox": raw_inbox(inbox) if inbox and contact_inbox else None,
        "source_id": contact_inbox["source_id"] if contact_inbox else None,
    }
    return {"payload": {"contact": contact_view(call.store, contact, contact_inboxes=True), "contact_inbox": shown}}


def _find_inbox(call: Call) -> Row | None:
    """The inbox that the body names; None if it names none."""
    if not present(call.body.get("inbox_id")):
        return None
    inbox_id = leading_int(call.body["inbox_id"])
    inbox = call.store.row("SELECT * FROM inboxes WHERE id = ? AND account_id = ?", inbox_id, call.account_id)
    if inbox is None:
        raise ResourceNotFound
    return inbox


def show(call: Call) -> Any:
    return _show_contact(call.store, _find_contact(call)["id"])


def update(call: Call) -> Any:
    contact = _find_contact(call)
    update_contact(call, contact)
    return _show_contact(call.store, contact["id"])


def list_conversations(call: Call) -> Any:
    """At most 20, newest activity first, of the inboxes that the caller may see."""
    query = accessible_conversations(call)
    query.where("c.contact_id = ?", _find_contact(call)["id"])
    rows = query.rows(call.store, "LIMIT 20")
    return {"payload": [conversation_view(call.store, call.actor, row) for row in rows]}


def list_contactable_inboxes(call: Call) -> Any:
    contact = _find_contact(call)
    found: list[Row] = []
    for inbox in call.store.rows("SELECT * FROM inboxes WHERE account_id = ? ORDER BY id", call.account_id):
        source_id = find_contactable_source_id(call.store, contact, inbox)
        if source_id and can_see_inbox(call.store, call.actor, inbox["id"]):
            found.append({"inbox": slim_inbox(inbox), "source_id": source_id})
    return {"payload": found}


def create_contact_inbox(call: Call) -> Any:
    """A clash of source ids, a blank one, and a channel that cannot make one are all 500."""
    contact = _find_contact(call)
    if not present(call.body.get("inbox_id")):
        raise ResourceNotFound
    inbox = require_inbox(call, leading_int(call.body["inbox_id"]))
    given = (call.body.get("source_id"), call.body.get("hmac_verified"))
    try:
        made = build_contact_inbox(call.store, contact, inbox, *given)
    except DetailMissing as missing:
        if call.store.version.fails_without_detail:  # but 4.0 caught it here
            raise Unprocessable(f"{missing.name} required") from None
        raise
    if made is None:
        raise InternalError
    return contact_inbox_view(call.store, made)


def find_by_source_id(call: Call) -> Any:
    """The contact of a source id, without a payload around it; 404 without a body if nobody has it."""
    inbox = require_inbox(call, leading_int(call.body.get("inbox_id")))
    found = call.store.row(
        "SELECT * FROM contact_inboxes WHERE inbox_id = ? AND source_id = ?",
        *(inbox["id"], str(call.body.get("source_id"))),
    )
    contact = call.store.by_id("contacts", found["contact_id"]) if found else None
    if contact is None:
        raise Refusal(404, Empty())
    return contact_view(call.store, contact, contact_inboxes=True)


def list_labels(call: Call) -> Any:
    return {"payload": labels_of(call.store, "contact", _find_contact(call)["id"])}


def write_labels(call: Call) -> Any:
    contact = _find_contact(call)
    replace_labels(call.store, "contact", contact["id"], call.body.get("labels"))
    return {"payload": labels_of(call.store, "contact", contact["id"])}


def filter_contacts(call: Call) -> Any:
    """Only contacts with an e-mail, a phone number or an identifier, ``current_page`` as it was asked for."""
    sql, params = contact_filter(call)
    where = f"FROM contacts c WHERE c.account_id = ? AND {RESOLVED} AND ({sql})"
    count = call.store.count(f"SELECT count(*) {where}", call.account_id, *params)
    tail = page_tail(page_number(page_of_filter(call)), PER_PAGE)
    rows = call.store.rows(f"SELECT c.* {where} ORDER BY c.id {tail}", call.account_id, *params)
    return {
        "meta": {"count": count, "current_page": page_of_filter(call) or 1},
        "payload": [contact_view(call.store, row, contact_inboxes=True) for row in rows],
    }


_ONE: Final = "/contacts/{contact_id}"
ROUTES: Final = (
    Route("GET", "/contacts", list_contacts),
    Route("GET", "/contacts/search", search_contacts),
    Route("POST", "/contacts/filter", filter_contacts),
    Route("POST", "/contacts", create),
    Route("GET", _ONE, show),
    Route("PUT", _ONE, update),
    Route("PATCH", _ONE, update),
    Route("GET", f"{_ONE}/conversations", list_conversations),
    Route("GET", f"{_ONE}/contactable_inboxes", list_contactable_inboxes),
    Route("POST", f"{_ONE}/contact_inboxes", create_contact_inbox),
    Route("GET", f"{_ONE}/labels", list_labels),
    Route("POST", f"{_ONE}/labels", write_labels),
    Route("POST", "/contact_inboxes/filter", find_by_source_id),
)
