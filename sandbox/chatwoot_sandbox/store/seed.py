"""What a new sandbox holds. Ids, tokens and names are fixed, so that examples work as printed.

Account 1 "Acme Support" is the one to play with; 2 is suspended; 3 belongs to somebody else. Its inboxes cover every
channel; 14 has a bot, 15 and 16 keep one conversation per contact, 1 assigns by itself.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Row, Store

DAY: Final = 86_400.0

ACCOUNTS: Final = ((1, "Acme Support", "active"), (2, "Dormant Ltd", "suspended"), (3, "Other Shop", "active"))

USERS: Final = (
    (1, "Ada Admin", "ada@acme.test"),
    (2, "Bob Agent", "bob@acme.test"),
    (3, "Carla Agent", "carla@acme.test"),
    (4, "Dmitri Agent", "dmitri@acme.test"),
    (5, "Olga Owner", "olga@acme.test"),
    (6, "Eve Elsewhere", "eve@other.test"),
)
MEMBERSHIPS: Final = (
    # account, user, role, availability
    (1, 1, "administrator", "offline"),
    (1, 2, "agent", "online"),
    (1, 3, "agent", "online"),
    (1, 4, "agent", "offline"),
    (1, 5, "administrator", "offline"),
    (2, 5, "administrator", "offline"),
    (3, 5, "administrator", "offline"),
    (3, 6, "agent", "offline"),
)
BOTS: Final = ((1, 1, "Helper Bot"), (2, 3, "Foreign Bot"))
TOKENS: Final = (
    ("sandbox-admin", "User", 1),
    ("sandbox-agent", "User", 2),
    ("sandbox-owner", "User", 5),
    ("sandbox-other", "User", 6),
    ("sandbox-bot", "AgentBot", 1),
    ("sandbox-foreign-bot", "AgentBot", 2),
    ("sandbox-platform", "PlatformApp", 1),
)


def _template(name: str, language: str, status: str, body: str, header: str | None = None) -> Row:
    components: list[Row] = [{"type": "BODY", "text": body}]
    if header:
        components.insert(0, {"type": "HEADER", "format": header})
    return {"name": name, "language": language, "status": status, "category": "UTILITY", "components": components}


WHATSAPP_TEMPLATES: Final = [
    _template("order_update", "en_US", "approved", "Hello {{1}}, your order {{2}} has shipped."),
    _template("welcome", "en_US", "approved", "Welcome to Acme."),
    _template("welcome", "pt_BR", "approved", "Boas-vindas."),
    _template("promo_image", "en", "approved", "For you: {{1}}", "IMAGE"),
    _template("old_offer", "en", "rejected", "An old offer."),
]
TWILIO_TEMPLATES: Final = {
    "templates": [
        {
            "friendly_name": "greeting",
            "language": "en",
            "status": "approved",
            "body": "Hi {{1}}",
            "variables": {"1": "x"},
        },
    ]
}

INBOXES: Final[tuple[tuple[int, int, str, str, Row, Row], ...]] = (
    # id, account, name, channel type, public fields, secrets
    (1, 1, "Website", "WebWidget", {"website_url": "https://acme.test"}, {"hmac_token": "channel-secret-web"}),
    (2, 1, "Help Desk API", "Api", {"inbox_identifier": "api-2"}, {"hmac_token": "channel-secret-api"}),
    (3, 1, "Support Email", "Email", {"email": "help@acme.test"}, {"imap_password": "channel-secret-imap"}),
    (4, 1, "WhatsApp", "Whatsapp",
     {"phone_number": "+15559990004", "provider": "whatsapp_cloud", "message_templates": WHATSAPP_TEMPLATES},
     {"provider_config": {"api_key": "channel-secret-meta"}}),
    (5, 1, "Twilio SMS", "TwilioSms", {"phone_number": "+15559990005", "medium": "sms"},
     {"auth_token": "channel-secret-twilio"}),
    (6, 1, "Twilio WhatsApp", "TwilioSms",
     {"phone_number": "whatsapp:+15559990006", "medium": "whatsapp", "content_templates": TWILIO_TEMPLATES},
     {"auth_token": "channel-secret-twilio"}),
    (7, 1, "Bandwidth SMS", "Sms", {"phone_number": "+15559990007"}, {"provider_config": "channel-secret-sms"}),
    (8, 1, "Facebook", "FacebookPage", {"page_id": "8"}, {"page_access_token": "channel-secret-fb"}),
    (9, 1, "Instagram", "Instagram", {"instagram_id": "9"}, {}),
    (10, 1, "Telegram", "Telegram", {"bot_name": "acme_bot"}, {"bot_token": "channel-secret-tg"}),
    (11, 1, "LINE", "Line", {}, {}),
    (12, 1, "Twitter", "TwitterProfile", {}, {}),
    (13, 1, "TikTok", "Tiktok", {}, {}),
    (14, 1, "Bot Desk", "Api", {"inbox_identifier": "api-14"}, {}),
    (15, 1, "VIP Email", "Email", {"email": "vip@acme.test"}, {}),
    (16, 1, "VIP API", "Api", {"inbox_identifier": "api-16"}, {}),
    (17, 3, "Other API", "Api", {"inbox_identifier": "api-17"}, {}),
)  # fmt: skip
AUTO_ASSIGNING: Final = {1}
LOCKED: Final = {15, 16}
WITH_BOT: Final = {14: 1}
INBOX_MEMBERS: Final = {2: (1, 2, 3, 4, 14, 15, 16), 3: (1, 2, 3)}

TEAMS: Final = (
    # id, account, name, allow_auto_assign, members
    (1, 1, "support", 0, (2, 3)),
    (2, 1, "billing", 1, (3,)),
    (3, 1, "empty", 1, ()),
    (4, 3, "elsewhere", 1, (6,)),
)
LABELS: Final = ("vip", "billing", "bug", "refund")
CANNED: Final = (("hello", "Hello, how can we help?"), ("refund", "Refunds take five days."), ("bye", "Take care!"))
ATTRIBUTES: Final[tuple[tuple[str, str, str, list[str]], ...]] = (
    ("conversation_attribute", "order_id", "text", []),
    ("conversation_attribute", "plan", "list", ["free", "pro"]),
    ("contact_attribute", "tier", "text", []),
)

CONTACTS: Final[tuple[tuple[int, int, str, str | None, str | None, str | None], ...]] = (
    # id, account, name, e-mail, phone number, identifier
    (1, 1, "Jane Doe", "jane@customers.test", "+15550001001", "crm-1001"),
    (2, 1, "Ed Mailonly", "ed@customers.test", None, None),
    (3, 1, "Pho Neonly", None, "+15550001003", None),
    (4, 1, "Nameless Ned", None, None, None),
    (5, 1, "Blocked Bill", "bill@customers.test", "+15550001005", None),
    (6, 1, "Tara Telegram", "tara@customers.test", None, None),
    (31, 3, "Ollie Other", "ollie@other.test", "+15550001031", None),
)
BLOCKED: Final = {5}
_FIRST: Final = ("Amir", "Bea", "Chen", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Juno", "Kai", "Lena")
_LAST: Final = ("Young", "Zimmer")
CONTACT_INBOXES: Final = (
    # contact, inbox, source id
    (1, 2, "jane-api"),
    (1, 3, "jane@customers.test"),
    (1, 15, "jane@customers.test"),
    (1, 16, "jane-vip"),
    (6, 10, "tg-6"),
    (31, 17, "other-31"),
)
GAP: Final = 20
"""A display id that is missing: a conversation that was rolled back."""
LAST_DISPLAY_ID: Final = 41
_STATUSES: Final = ("open", "resolved", "pending", "open", "snoozed")
_DIALOGUE: Final = (
    (0, "Hello, I have a question about my order.", 0),
    (1, "Hi! Which order is it?", 0),
    (0, "The one from last week.", 0),
    (1, "Customer sounds unhappy, please be quick.", 1),
    (1, "It is on its way and arrives tomorrow.", 0),
    (0, "Thank you!", 0),
)


def seed(store: Store) -> None:
    """Fill new tables."""
    with store.transaction():
        _accounts(store)
        _inboxes(store)
        _teams(store)
        _contacts(store)
        _conversations(store)


def _accounts(store: Store) -> None:
    made = store.now() - 400 * DAY
    for account_id, name, status in ACCOUNTS:
        store.insert("accounts", id=account_id, name=name, status=status, created_at=made)
    for user_id, name, email in USERS:
        store.insert("users", id=user_id, name=name, email=email)
    for account_id, user_id, role, availability in MEMBERSHIPS:
        store.insert("account_users", account_id=account_id, user_id=user_id, role=role, availability=availability)
    for bot_id, account_id, name in BOTS:
        store.insert("agent_bots", id=bot_id, account_id=account_id, name=name)
    for token, owner_type, owner_id in TOKENS:
        store.insert("access_tokens", token=token, owner_type=owner_type, owner_id=owner_id)
    for title in LABELS:
        store.insert("labels", account_id=1, title=title)
    for short_code, content in CANNED:
        store.insert("canned_responses", account_id=1, short_code=short_code, content=content, created_at=made)
    for model, key, kind, values in ATTRIBUTES:
        store.insert(
            "custom_attribute_definitions",
            account_id=1,
            attribute_model=model,
            attribute_key=key,
            attribute_display_name=key,
            attribute_display_type=kind,
            attribute_values=json_columns.dump(values),
            created_at=made,
        )


def _inboxes(store: Store) -> None:
    for inbox_id, account_id, name, channel, public, secrets in INBOXES:
        if store.version.lacks_channel(f"Channel::{channel}"):
            continue
        lacking = {"content_templates"} if store.version.before(4, 7) else set[str]()
        store.insert(
            "inboxes",
            id=inbox_id,
            account_id=account_id,
            name=name,
            channel_type=f"Channel::{channel}",
            channel=json_columns.dump({key: value for key, value in public.items() if key not in lacking}),
            channel_secrets=json_columns.dump(secrets),
            enable_auto_assignment=int(inbox_id in AUTO_ASSIGNING),
            lock_to_single_conversation=int(inbox_id in LOCKED),
            agent_bot_id=WITH_BOT.get(inbox_id),
        )
    for user_id, inbox_ids in INBOX_MEMBERS.items():
        for inbox_id in inbox_ids:
            store.insert("inbox_members", inbox_id=inbox_id, user_id=user_id)


def _teams(store: Store) -> None:
    for team_id, account_id, name, auto_assign, members in TEAMS:
        made = store.now() - 300 * DAY
        store.insert(
            "teams", id=team_id, account_id=account_id, name=name, allow_auto_assign=auto_assign, created_at=made
        )
        for user_id in members:
            store.insert("team_members", team_id=team_id, user_id=user_id)


def _contacts(store: Store) -> None:
    generated = [
        (7 + n, 1, f"{_FIRST[n % 12]} {_LAST[n // 12]}", f"customer{7 + n}@customers.test", f"+1555000{2000 + n}", None)
        for n in range(24)
    ]
    for contact_id, account_id, name, email, phone_number, identifier in (*CONTACTS, *generated):
        store.insert(
            "contacts",
            id=contact_id,
            account_id=account_id,
            name=name,
            email=email,
            phone_number=phone_number,
            identifier=identifier,
            blocked=int(contact_id in BLOCKED),
            created_at=store.now() - 200 * DAY + contact_id,
        )
    for contact_id, inbox_id, source_id in CONTACT_INBOXES:
        _contact_inbox(store, contact_id, inbox_id, source_id)


def _contact_inbox(store: Store, contact_id: int, inbox_id: int, source_id: str) -> int:
    made = store.now() - 100 * DAY
    return store.insert(
        "contact_inboxes", contact_id=contact_id, inbox_id=inbox_id, source_id=source_id, created_at=made
    )


def _conversations(store: Store) -> None:
    """Two of Jane's in the locked inboxes, the rest spread over the generated contacts; then one elsewhere."""
    _conversation(store, 1, contact_id=1, inbox_id=15, status="resolved")
    _conversation(store, 2, contact_id=1, inbox_id=16, status="open")
    for display_id in range(3, LAST_DISPLAY_ID + 1):
        if display_id != GAP:
            contact_id, inbox_id = 7 + display_id % 24, (1, 2, 3, 7)[display_id % 4]
            _conversation(store, display_id, contact_id, inbox_id, _STATUSES[display_id % 5])
    store.update("accounts", 1, last_display_id=LAST_DISPLAY_ID)


def _conversation(store: Store, display_id: int, contact_id: int, inbox_id: int, status: str) -> None:
    made = store.now() - (LAST_DISPLAY_ID - display_id + 2) * DAY / 2
    row_id = store.insert(
        "conversations",
        account_id=1,
        display_id=display_id,
        uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox/conversations/{display_id}")),
        inbox_id=inbox_id,
        contact_id=contact_id,
        contact_inbox_id=_identity(store, contact_id, inbox_id, display_id),
        status=status,
        priority=(None, "low", "high", None, "urgent")[display_id % 5],
        assignee_id=(None, 2, 3)[display_id % 3],
        snoozed_until=store.now() + DAY if status == "snoozed" else None,
        waiting_since=made,
        last_activity_at=made,
        created_at=made,
        updated_at=made,
    )
    if display_id % 4 == 0:
        store.insert("conversation_labels", conversation_id=row_id, title=LABELS[display_id % 3])
    for turn, (message_type, content, private) in enumerate(_DIALOGUE[: 2 + display_id % 5]):
        at = made + 60 * turn
        values: dict[str, Any] = {"created_at": at, "updated_at": at, "content": content, "private": private}
        sender = ("Contact", contact_id) if message_type == 0 else ("User", 2)
        store.insert(
            "messages",
            account_id=1,
            inbox_id=inbox_id,
            conversation_id=row_id,
            message_type=message_type,
            sender_type=sender[0],
            sender_id=sender[1],
            **values,
        )
        store.update("conversations", row_id, last_activity_at=at)


def _identity(store: Store, contact_id: int, inbox_id: int, display_id: int) -> int:
    """The contact's identity in the inbox: the one there is, or one of the kind that the channel makes."""
    found = store.row("SELECT id FROM contact_inboxes WHERE contact_id = ? AND inbox_id = ?", contact_id, inbox_id)
    if found:
        return int(found["id"])
    contact = store.row("SELECT * FROM contacts WHERE id = ?", contact_id) or {}
    made_from = {3: contact.get("email"), 7: contact.get("phone_number")}
    source_id = made_from.get(inbox_id) or str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox/sources/{display_id}"))
    return _contact_inbox(store, contact_id, inbox_id, source_id)
