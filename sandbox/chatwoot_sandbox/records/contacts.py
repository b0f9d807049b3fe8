"""Contacts: what is checked and kept when one is written."""

from __future__ import annotations

import re
from typing import Final

from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import ResourceNotFound, check_valid, hash_or_empty, leading_int, present, truthy
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store

_HUMAN: Final = {"email": "Email", "identifier": "Identifier", "phone_number": "Phone number"}
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_E164: Final = re.compile(r"\+[1-9]\d{1,14}", re.ASCII)
_STRING: Final = 255
RESOLVED: Final = "(coalesce(email, '') <> '' OR coalesce(phone_number, '') <> '' OR coalesce(identifier, '') <> '')"
"""The lists leave out contacts that have nothing but a name."""


def find_contact(call: Call, contact_id: object) -> Row:
    found = call.store.row(
        "SELECT * FROM contacts WHERE id = ? AND account_id = ?", leading_int(contact_id), call.account_id
    )
    if found is None:
        raise ResourceNotFound
    return found


def _cast_columns(body: Row) -> Row:
    """The plain columns that were sent. Blank texts become null, and the e-mail becomes lower case."""
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


def _check_contact(store: Store, account_id: int, values: Row, own_id: int | None) -> None:
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
    check_valid(wrong)


def create_contact(call: Call) -> Row:
    """Runs in the caller's transaction."""
    store, values = call.store, _cast_columns(call.body)
    _check_contact(store, call.account_id, values, None)
    contact_id = store.insert(
        "contacts",
        **{"name": "", **values},
        account_id=call.account_id,
        additional_attributes=json_columns.dump(hash_or_empty(call.body.get("additional_attributes"))),
        custom_attributes=json_columns.dump(hash_or_empty(call.body.get("custom_attributes"))),
        created_at=store.now(),
    )
    return store.by_id("contacts", contact_id) or {}


def update_contact(call: Call, contact: Row) -> None:
    """Attributes are merged, top level only; before 4.7 the additional ones are replaced."""
    values = _cast_columns(call.body)
    _check_contact(call.store, call.account_id, values, contact["id"])
    for key in ("additional_attributes", "custom_attributes"):
        given = hash_or_empty(call.body.get(key))
        if given:
            replaces = key == "additional_attributes" and call.store.version.replaces_additional_attributes
            values[key] = json_columns.dump(given if replaces else {**json_columns.load(contact[key]), **given})
    if values:
        call.store.update("contacts", contact["id"], **values)
