"""Which Chatwoot is imitated, and what an older one lacks or does differently, as far as the tools meet it.

Seen on real 3.16.0, 4.0.4, 4.7.0, 4.11.0 and 4.15.1, except ``Version.doubles_the_plus``, which is from the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

KNOWN: Final = {"3.16": "3.16.0", "4.0": "4.0.4", "4.7": "4.7.0", "4.11": "4.11.0", "4.15": "4.15.1"}
_ONE: Final = "/conversations/{conversation_id}"
_OPENED_TO_BOTS: Final = {
    ("GET", _ONE): (4, 15),
    ("GET", f"{_ONE}/labels"): (4, 15),
    ("POST", f"{_ONE}/labels"): (4, 15),
    ("POST", f"{_ONE}/custom_attributes"): (4, 7),
}
"""Since which release an agent bot may call it."""
_CONTENT_ATTRIBUTES: Final = {"items", "in_reply_to", "in_reply_to_external_id"}
_CHANNELS: Final = {"Channel::Instagram": (4, 7), "Channel::Tiktok": (4, 11)}


@dataclass(frozen=True, slots=True)
class Version:
    name: str = KNOWN["4.15"]

    @classmethod
    def of(cls, name: str) -> Version:
        """Such as ``4.11`` or ``4.11.0``. Raises ValueError for one that is not imitated."""
        for short, full in KNOWN.items():
            if name in {short, full}:
                return cls(full)
        raise ValueError(f"{name} is none of {', '.join(KNOWN)}")

    def before(self, *release: int) -> bool:
        return tuple(int(part) for part in self.name.split(".")) < release

    def closed_to_bots(self, method: str, template: str) -> bool:
        return self.before(*_OPENED_TO_BOTS.get((method, template), (0,)))

    def lacks_channel(self, channel_type: str) -> bool:
        return self.before(*_CHANNELS.get(channel_type, (0,)))

    @property
    def fails_without_detail(self) -> bool:
        """Only 4.0 did not catch that a contact lacks the e-mail or phone number that the channel needs."""
        return not self.before(4, 0) and self.before(4, 7)

    @property
    def doubles_the_plus(self) -> bool:
        """``contacts/filter`` puts a plus in front of a phone number even if there is one already."""
        return self.before(4, 7)

    @property
    def replaces_additional_attributes(self) -> bool:
        """Of a contact that is changed; its custom attributes are merged in every version."""
        return self.before(4, 7)

    def kept(self, content_attributes: dict[str, Any]) -> dict[str, Any]:
        """What is kept of a message's ``content_attributes``: 4.7 and older know only these keys."""
        if not self.before(4, 11):
            return content_attributes
        return {key: value for key, value in content_attributes.items() if key in _CONTENT_ATTRIBUTES}
