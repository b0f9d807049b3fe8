"""Fills new tables with a world. Ids are given in the order of the file, so that examples work as printed.

Times count back from now. What the sandbox has no table for yet (macros, webhooks, portals, …) is checked, and has its
ids in ``world_ids``.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any, Final

from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.enums import MessageType
from chatwoot_sandbox.store.store import Row, Store
from chatwoot_sandbox.store.world import World
from chatwoot_sandbox.store.world_format import CHANNELS

DAY: Final = 86_400.0
_OWNERS: Final = {"user": "User", "bot": "AgentBot", "contact": "Contact"}


def seed(store: Store, world: World) -> None:
    ids = _number(world)
    with store.transaction():
        _people(store, world, ids)
        _settings(store, world, ids)
        _inboxes(store, world, ids)
        _contacts(store, world, ids)
        _conversations(store, world, ids)
        for key, value in ids.items():
            store.insert("world_ids", key=key, value=json_columns.dump(value))


def _number(world: World) -> dict[str, Any]:
    """What each key stands for: an id, a token, a source id, an identifier, a uuid or a slug."""
    ids = {row["key"]: number for rows in world.values() for number, row in enumerate(rows, 1) if "key" in row}
    rows = [row for rows in world.values() for row in rows]
    tokens = [row["token"] for row in rows if row.get("token")]
    ids |= {token: f"sandbox-{_name(token).replace('_', '-')}" for token in tokens}
    ids |= {row["key"]: row["source_id"] for row in world["contact_inboxes"]}
    channels = {_name(row["key"]): row["channel"] for row in world["inboxes"]}
    ids |= {f"identifier:{name}": each["identifier"] for name, each in channels.items() if "identifier" in each}
    return ids | _number_conversations(world) | _number_portals(world)


def _number_conversations(world: World) -> dict[str, Any]:
    """By account, gaps included."""
    ids: dict[str, Any] = {}
    last: Counter[str] = Counter()
    for row in world["conversations"]:
        last[row["account"]] += 1
        if not row.get("gap"):
            name = _name(row["key"])
            ids |= {row["key"]: last[row["account"]], f"uuid:{name}": _uuid(f"sandbox/conversations/{name}")}
    return ids


def _number_portals(world: World) -> dict[str, Any]:
    ids = {portal["slug_key"]: portal["slug"] for portal in world["portals"] if portal.get("slug_key")}
    for part in ("categories", "articles"):
        rows = [row for portal in world["portals"] for row in portal.get(part) or ()]
        ids |= {row["key"]: number for number, row in enumerate(rows, 1)}
    return ids


def _name(key: str) -> str:
    return key.partition(":")[2]


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _people(store: Store, world: World, ids: dict[str, Any]) -> None:
    for row in world["accounts"]:
        features = {} if row.get("features") is None else {"features": json_columns.dump(row["features"])}
        made = store.now() - row.get("age_days", 400) * DAY
        status, locale = row.get("status") or "active", row.get("locale") or "en"
        store.insert(
            "accounts", id=ids[row["key"]], name=row["name"], status=status, locale=locale, created_at=made, **features
        )
    for row in world["users"]:
        plain = {name: row.get(name) for name in ("name", "display_name", "email")}
        store.insert("users", id=ids[row["key"]], **plain)
        for member in row.get("memberships") or ():
            store.insert(
                "account_users",
                account_id=ids[member["account"]],
                user_id=ids[row["key"]],
                role=member["role"],
                availability=member.get("availability") or "offline",
                auto_offline=int(member.get("auto_offline", True)),
            )
    for row in world["agent_bots"]:
        plain = {name: row.get(name) for name in ("name", "description", "outgoing_url")}
        store.insert("agent_bots", id=ids[row["key"]], account_id=ids.get(row.get("account") or ""), **plain)
    for section, owner in (("users", "User"), ("agent_bots", "AgentBot"), ("platform_apps", "PlatformApp")):
        for row in world[section]:
            if row.get("token"):
                store.insert("access_tokens", token=ids[row["token"]], owner_type=owner, owner_id=ids[row["key"]])


def _settings(store: Store, world: World, ids: dict[str, Any]) -> None:
    made = store.now() - 400 * DAY
    for row in world["labels"]:
        plain = {name: row[name] for name in ("title", "description", "color") if row.get(name) is not None}
        shown = int(row.get("show_on_sidebar", True))
        store.insert("labels", id=ids[row["key"]], account_id=ids[row["account"]], show_on_sidebar=shown, **plain)
    for row in world["canned_responses"]:
        plain = {name: row[name] for name in ("short_code", "content")}
        store.insert("canned_responses", id=ids[row["key"]], account_id=ids[row["account"]], created_at=made, **plain)
    for row in world["custom_attribute_definitions"]:
        plain = {name: row[name] for name in row if name.startswith("attribute_") and name != "attribute_values"}
        values = json_columns.dump(row.get("attribute_values") or [])
        store.insert(
            "custom_attribute_definitions",
            id=ids[row["key"]],
            account_id=ids[row["account"]],
            attribute_values=values,
            created_at=made,
            **plain,
        )
    _teams(store, world, ids)


def _teams(store: Store, world: World, ids: dict[str, Any]) -> None:
    for row in world["teams"]:
        store.insert(
            "teams",
            id=ids[row["key"]],
            account_id=ids[row["account"]],
            name=row["name"],
            description=row.get("description"),
            allow_auto_assign=int(row.get("allow_auto_assign", True)),
            created_at=store.now() - 300 * DAY,
        )
        for user in row.get("members") or ():
            store.insert("team_members", team_id=ids[row["key"]], user_id=ids[user])


def _inboxes(store: Store, world: World, ids: dict[str, Any]) -> None:
    kinds: Counter[str] = Counter()
    for row in world["inboxes"]:
        kind = row["channel"]["type"]
        if store.version.lacks_channel(kind):
            continue
        kinds[kind] += 1
        public, secret = _split_channel(store, row["channel"])
        store.insert(
            "inboxes",
            id=ids[row["key"]],
            account_id=ids[row["account"]],
            name=row["name"],
            channel_type=kind,
            channel_id=kinds[kind],
            channel=json_columns.dump(public),
            channel_secrets=json_columns.dump(secret),
            enable_auto_assignment=int(row.get("enable_auto_assignment", False)),
            lock_to_single_conversation=int(row.get("lock_to_single_conversation", False)),
            csat_survey_enabled=int(row["channel"].get("csat", False)),
            agent_bot_id=ids.get(row.get("agent_bot") or ""),
        )
        for user in row.get("members") or ():
            store.insert("inbox_members", inbox_id=ids[row["key"]], user_id=ids[user])


def _split_channel(store: Store, given: Row) -> tuple[Row, Row]:
    """What everybody sees of the channel, and what only administrators do."""
    channel = CHANNELS[given["type"]]
    lacking = {"content_templates"} if store.version.before(4, 7) else set[str]()
    unseen = {"type", "csat", *channel.secret, *channel.hidden, *lacking}
    renamed = {"identifier": "inbox_identifier"}
    public = {renamed.get(name, name): value for name, value in given.items() if name not in unseen}
    return public, {name: given[name] for name in channel.secret if name in given}


def _contacts(store: Store, world: World, ids: dict[str, Any]) -> None:
    for row in world["contacts"]:
        contact_id = ids[row["key"]]
        seen = row.get("last_activity_days_ago")
        plain = {name: row.get(name) for name in ("name", "email", "phone_number", "identifier")}
        hashes = {
            name: json_columns.dump(row.get(name) or {}) for name in ("custom_attributes", "additional_attributes")
        }
        store.insert(
            "contacts",
            id=contact_id,
            account_id=ids[row["account"]],
            blocked=int(row.get("blocked", False)),
            last_activity_at=None if seen is None else store.now() - seen * DAY,
            created_at=store.now() - row.get("age_days", 200) * DAY + contact_id,
            **plain,
            **hashes,
        )
        for title in row.get("labels") or ():
            store.insert("contact_labels", contact_id=contact_id, title=title)
    for row in world["contact_inboxes"]:
        _contact_inbox(store, ids[row["contact"]], ids[row["inbox"]], row["source_id"])


def _contact_inbox(store: Store, contact_id: int, inbox_id: int, source_id: str) -> int:
    """The identity's id; made where it is not there yet."""
    found = store.row("SELECT id FROM contact_inboxes WHERE inbox_id = ? AND source_id = ?", inbox_id, source_id)
    if found is not None:
        return int(found["id"])
    made = store.now() - 100 * DAY
    return store.insert(
        "contact_inboxes", contact_id=contact_id, inbox_id=inbox_id, source_id=source_id, created_at=made
    )


def _conversations(store: Store, world: World, ids: dict[str, Any]) -> None:
    last: Counter[str] = Counter()
    for row in world["conversations"]:
        last[row["account"]] += 1
        if not row.get("gap"):
            _conversation(store, row, ids)
    for account, number in last.items():
        store.update("accounts", ids[account], last_display_id=number)


def _conversation(store: Store, row: Row, ids: dict[str, Any]) -> None:
    made = store.now() - row["age_days"] * DAY
    contact_id, inbox_id = ids[row["contact"]], ids[row["inbox"]]
    replied, snoozed = row.get("first_reply_minute"), row.get("snoozed_in_days")
    hashes = {name: json_columns.dump(row.get(name) or {}) for name in ("custom_attributes", "additional_attributes")}
    messages: list[Row] = row.get("messages") or []
    row_id = store.insert(
        "conversations",
        account_id=ids[row["account"]],
        display_id=ids[row["key"]],
        uuid=ids[f"uuid:{_name(row['key'])}"],
        inbox_id=inbox_id,
        contact_id=contact_id,
        contact_inbox_id=_contact_inbox(store, contact_id, inbox_id, row["source_id"]),
        status=row["status"],
        priority=row.get("priority"),
        assignee_id=ids.get(row.get("assignee") or ""),
        team_id=ids.get(row.get("team") or ""),
        snoozed_until=None if snoozed is None else store.now() + snoozed * DAY,
        waiting_since=made if row.get("waiting", True) else None,
        first_reply_created_at=None if replied is None else made + 60 * replied,
        last_activity_at=made + 60 * max((message["minute"] for message in messages), default=0),
        created_at=made,
        updated_at=made,
        **hashes,
    )
    for title in row.get("labels") or ():
        store.insert("conversation_labels", conversation_id=row_id, title=title)
    for message in messages:
        _message(store, message, row_id, ids, account_id=ids[row["account"]], inbox_id=inbox_id, made=made)


def _message(store: Store, message: Row, row_id: int, ids: dict[str, Any], *, made: float, **place: int) -> None:
    at = made + 60 * message["minute"]
    sender = message.get("sender")
    store.insert(
        "messages",
        conversation_id=row_id,
        message_type=MessageType[message["message_type"].upper()],
        sender_type=_OWNERS[sender.partition(":")[0]] if sender else None,
        sender_id=ids[sender] if sender else None,
        content=message.get("content"),
        content_type=message.get("content_type") or "text",
        private=int(message.get("private", False)),
        created_at=at,
        updated_at=at,
        **place,
    )
