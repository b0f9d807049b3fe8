"""What a world file may say: per section the fields of its rows, as ``docs/sandbox-world.md`` tells them.

A field is ``text``, ``number``, ``boolean``, ``object``, ``list``, ``key`` (its own, or its token's), one of some words
(``open|resolved``), a reference to the key of another row (``account:``), or a list of references (``[user:]``).
With ``!`` it must be there; without, it may be missing or null. A nested table is a list of such rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from chatwoot_sandbox.store.enums import CONTENT_TYPES, PRIORITIES, STATUSES

Fields: TypeAlias = "dict[str, str | Fields]"
_OF_ACCOUNT: Final = "account:!"
_ROLES: Final = "administrator|agent"
_AVAILABILITIES: Final = "online|offline|busy"

SECTIONS: Final[dict[str, tuple[str, Fields]]] = {
    "accounts": ("account", {
        "name": "text!", "status": "active|suspended", "locale": "text", "age_days": "number", "features": "object",
    }),
    "users": ("user", {
        "name": "text!", "display_name": "text", "email": "text!", "token": "key",
        "memberships": {
            "account": _OF_ACCOUNT, "role": f"{_ROLES}!", "availability": _AVAILABILITIES,
            "auto_offline": "boolean", "active_days_ago": "number",
        },
    }),
    "agent_bots": ("bot", {
        "account": "account:", "name": "text!", "description": "text", "token": "key", "outgoing_url": "text",
    }),
    "platform_apps": ("platform", {"name": "text!", "token": "key", "permissibles": "list"}),
    "inboxes": ("inbox", {
        "account": _OF_ACCOUNT, "name": "text!", "members": "[user:]", "enable_auto_assignment": "boolean",
        "lock_to_single_conversation": "boolean", "agent_bot": "bot:", "channel": "object!",
    }),
    "teams": ("team", {
        "account": _OF_ACCOUNT, "name": "text!", "description": "text", "allow_auto_assign": "boolean",
        "members": "[user:]",
    }),
    "labels": ("label", {
        "account": _OF_ACCOUNT, "title": "text!", "description": "text", "color": "text", "show_on_sidebar": "boolean",
    }),
    "canned_responses": ("canned", {"account": _OF_ACCOUNT, "short_code": "text!", "content": "text!"}),
    "custom_attribute_definitions": ("attr", {
        "account": _OF_ACCOUNT, "attribute_model": "conversation_attribute|contact_attribute!",
        "attribute_key": "text!", "attribute_display_name": "text!",
        "attribute_display_type": "text|number|currency|percent|link|date|list|checkbox!", "attribute_values": "list",
    }),
    "contacts": ("contact", {
        "account": _OF_ACCOUNT, "name": "text", "email": "text", "phone_number": "text", "identifier": "text",
        "blocked": "boolean", "age_days": "number", "last_activity_days_ago": "number",
        "custom_attributes": "object", "additional_attributes": "object", "labels": "list",
    }),
    "contact_inboxes": ("source", {"contact": "contact:!", "inbox": "inbox:!", "source_id": "text!"}),
    "conversations": ("conv", {
        "account": _OF_ACCOUNT, "inbox": "inbox:!", "contact": "contact:!", "source_id": "text!",
        "status": "|".join(STATUSES) + "!", "priority": "|".join(PRIORITIES), "assignee": "user:", "team": "team:",
        "snoozed_in_days": "number", "age_days": "number!", "labels": "list", "custom_attributes": "object",
        "additional_attributes": "object", "first_reply_minute": "number", "waiting": "boolean",
        "messages": {
            "message_type": "incoming|outgoing|activity|template!", "content": "text", "private": "boolean",
            "content_type": "|".join(CONTENT_TYPES), "sender": "user:|bot:|contact:", "minute": "number!",
        },
    }),
    "macros": ("macro", {
        "account": _OF_ACCOUNT, "name": "text!", "visibility": "personal|global", "created_by": "user:!",
        "actions": "list!",
    }),
    "webhooks": ("webhook", {"account": _OF_ACCOUNT, "name": "text", "url": "text!", "subscriptions": "list!"}),
    "automation_rules": ("rule", {
        "account": _OF_ACCOUNT, "name": "text!", "description": "text", "event_name": "text!", "active": "boolean",
        "conditions": "list!", "actions": "list!",
    }),
    "portals": ("portal", {
        "slug_key": "key", "account": _OF_ACCOUNT, "name": "text!", "slug": "text!", "color": "text",
        "page_title": "text", "header_text": "text", "config": "object",
        "categories": {
            "key": "key", "name": "text!", "slug": "text!", "locale": "text!", "position": "number",
            "description": "text",
        },
        "articles": {
            "key": "key", "title": "text!", "content": "text", "description": "text",
            "status": "draft|published|archived", "category": "category:", "author": "user:!", "slug": "text",
        },
    }),
    "notes": ("note", {"contact": "contact:!", "user": "user:!", "content": "text!"}),
    "custom_filters": ("filter", {
        "account": _OF_ACCOUNT, "user": "user:!", "name": "text!", "filter_type": "conversation|contact|report!",
        "query": "object!",
    }),
    "notifications": ("notification", {
        "account": _OF_ACCOUNT, "user": "user:!", "notification_type": "text!", "conversation": "conv:!",
    }),
}  # fmt: skip
"""Of each section the kind of its keys, and the fields of its rows beside ``key``."""
GAP: Final[Fields] = {"account": _OF_ACCOUNT, "messages": "list"}
"""Instead of a conversation: a number that is missing (``"gap": true``)."""
UNIQUE: Final = {
    "users": (("email",),),
    "labels": (("account", "title"),),
    "contacts": (("account", "email"), ("account", "phone_number"), ("account", "identifier")),
    "contact_inboxes": (("inbox", "source_id"),),
    "portals": (("slug",),),
}


@dataclass(frozen=True, slots=True)
class Channel:
    """``needs``: without these there is no such channel. ``secret``: shown to administrators alone.

    ``hidden`` is kept and never shown.
    """

    needs: tuple[str, ...]
    secret: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


_KEPT_FOR_THE_PROVIDER: Final = ("access_token", "refresh_token", "expires_in_days", "business_id", "profile_id")
CHANNELS: Final = {
    "Channel::WebWidget": Channel(("website_url",), ("hmac_token",)),
    "Channel::Api": Channel(("identifier",), ("hmac_token",)),
    "Channel::Email": Channel(("email",), ("imap_password",)),
    "Channel::Whatsapp": Channel(("phone_number", "provider"), ("provider_config",)),
    "Channel::TwilioSms": Channel(("phone_number", "medium"), ("auth_token", "account_sid")),
    "Channel::Sms": Channel(("phone_number",), (), ("provider_config",)),
    "Channel::FacebookPage": Channel(("page_id",), (), ("page_access_token", "user_access_token")),
    "Channel::Instagram": Channel(("instagram_id",), (), _KEPT_FOR_THE_PROVIDER),
    "Channel::Telegram": Channel(("bot_token",), (), ("bot_token",)),
    "Channel::Line": Channel(
        ("line_channel_id",), (), ("line_channel_id", "line_channel_secret", "line_channel_token")
    ),
    "Channel::TwitterProfile": Channel(
        ("profile_id",), (), (*_KEPT_FOR_THE_PROVIDER, "twitter_access_token", "twitter_access_token_secret")
    ),
    "Channel::Tiktok": Channel(("business_id",), (), _KEPT_FOR_THE_PROVIDER),
}
