"""What differs from channel to channel (Chatwoot v4.15.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Channel = Literal[
    "website",
    "api",
    "email",
    "whatsapp",
    "sms",
    "twilio_sms",
    "twilio_whatsapp",
    "facebook",
    "instagram",
    "telegram",
    "line",
    "twitter",
    "tiktok",
]


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """How a channel treats the source id: a contact's identity inside an inbox.

    ``source``: what it is, in words. ``minted_from``: what Chatwoot makes one from when none is given; None where it
    cannot, and answers 500. ``form``: what Chatwoot demands of a given one. ``steals``: a source id that belongs to
    another contact is taken away from it, without a word.
    """

    name: Channel
    source: str
    minted_from: Literal["nothing", "email", "phone_number"] | None = None
    form: re.Pattern[str] | None = None
    steals: bool = False


_BSUID = r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}"

_RULES: dict[str, ChannelRules] = {
    "Channel::WebWidget": ChannelRules("website", "any text, one per visitor session", "nothing"),
    "Channel::Api": ChannelRules("api", "any text, one per contact session", "nothing"),
    "Channel::Email": ChannelRules("email", "the contact's e-mail address", "email", steals=True),
    "Channel::Whatsapp": ChannelRules(
        "whatsapp", "the phone number in digits without +", "phone_number", re.compile(rf"\d{{1,15}}|{_BSUID}")
    ),
    "Channel::Sms": ChannelRules("sms", "the phone number with +", "phone_number", steals=True),
    "Channel::TwilioSms": ChannelRules(
        "twilio_sms", "the phone number with +", "phone_number", re.compile(r"\+\d{1,15}")
    ),
    "Channel::FacebookPage": ChannelRules("facebook", "the page-scoped user id"),
    "Channel::Instagram": ChannelRules("instagram", "the Instagram-scoped user id"),
    "Channel::Telegram": ChannelRules("telegram", "the Telegram user id"),
    "Channel::Line": ChannelRules("line", "the LINE user id"),
    "Channel::TwitterProfile": ChannelRules("twitter", "the Twitter user id"),
    "Channel::Tiktok": ChannelRules("tiktok", "the TikTok conversation id"),
}
_TWILIO_WHATSAPP = ChannelRules(
    "twilio_whatsapp",
    "whatsapp: and the phone number with +",
    "phone_number",
    re.compile(rf"whatsapp:(?:\+\d{{1,15}}|{_BSUID})"),
)


def channel_rules(channel_type: str | None, medium: str | None = None) -> ChannelRules | None:
    """The rules of a ``channel_type`` (and, on Twilio, its ``medium``), or None for one that we do not know."""
    if channel_type == "Channel::TwilioSms" and medium == "whatsapp":
        return _TWILIO_WHATSAPP
    return _RULES.get(channel_type or "")
