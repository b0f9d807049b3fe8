"""Text that other people wrote, made fit for a result: what a reader cannot see goes, what is too long is cut."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import regex

NAME_CHARS = 200
CONTENT_CHARS = 4_000
"""Caps, in characters, on a name and on a message's content in a result."""

# By Unicode's own properties. DI: what is shown as nothing, such as zero-width characters, variation selectors, fillers
# and tags. Cc, Cf: controls; Cs: lone surrogates; Cn: what is no character, but for places kept for emoji to come;
# Zl, Zp: separators that look like nothing.
_UNSEEN = r"[[\p{DI}\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]--[\p{ExtPict}--\p{DI}]--[\n\t]]"

# The emoji that Unicode joins (emoji-zwj-sequences.txt, 16.0), without colours of skin: each of the first, then one of
# what follows. No others are joined to be seen, so that a joiner between two of them would be a bit that nobody sees.
_JOINED = """
⛹🏃🏄🏊🏋🏌👮👯👰👱👳👷💁💂💆💇🕵🙅🙆🙇🙋🙍🙎🚣🚴🚵🚶🤦🤵🤷🤸🤹🤼🤽🤾🦸🦹🧍🧎🧏🧔🧖🧗🧘🧙🧚🧛🧜🧝🧞🧟 ♀ ♂
👨👩🧑 ⚕ ⚖ ✈ 🌾 🍳 🍼 🎓 🎤 🎨 🏫 🏭 💻 💼 🔧 🔬 🚀 🚒 🦯 🦯+➡ 🦰 🦱 🦲 🦳 🦼 🦼+➡ 🦽 🦽+➡
🏃🚶🧎 ♀+➡ ♂+➡ ➡
👨👩 ❤+👨 ❤+💋+👨 👦 👦+👦 👧 👧+👦 👧+👧 👩+👦 👩+👦+👦 👩+👧 👩+👧+👦 👩+👧+👧 🤝+👨
❤🐦 🔥
🐈🐦 ⬛
🧑 ❤+💋+🧑 ❤+🧑 🎄 🐰+🧑 🤝+🧑 🧑+🧒 🧑+🧒+🧒 🧒 🧒+🧒 🩰 🫯+🧑
👨 🐰+👨 👨+👦 👨+👦+👦 👨+👧 👨+👧+👦 👨+👧+👧 🫯+👨
👩 ❤+👩 ❤+💋+👩 🐰+👩 🤝+👩 🫯+👩
🏳 ⚧ 🌈
🙂 ↔ ↕
⛓ 💥
❤ 🩹
🍄 🟫
🍋 🟩
🏴 ☠
🐕 🦺
🐻 ❄
👁 🗨
😮 💨
😵 💫
😶 🌫
🫱 🫲
"""


def _joined() -> str:
    """As a pattern, the longest first; tried only where a joiner follows."""
    rows = [row.split() for row in _JOINED.strip().split("\n")]
    sequences = [[f"[{firsts}]", *rest.split("+")] for firsts, *rests in rows for rest in rests]
    styled = r"(?:\uFE0F|\p{EMod})?"
    longest_first = sorted(sequences, key=len, reverse=True)
    patterns = [r"\u200D".join(each + styled for each in parts) for parts in longest_first]
    return rf"(?=.{styled}\u200D)(?:{'|'.join(patterns)})"


# What is unseen and changes what is seen, in sequences that Unicode defines: whole emoji (UTS 51), and a joiner in
# scripts that need it (UAX 31, 2.3): where cursive letters would join, after a virama, and between ra and a virama.
# Whether an emoji that is a plain sign by itself (a heart) is asked to be colourful stays as it is written.
_NEEDED = (
    r"\U0001F3F4\U000E0067\U000E0062"
    r"(?:\U000E0065\U000E006E\U000E0067|\U000E0073\U000E0063\U000E0074|\U000E0077\U000E006C\U000E0073)\U000E007F",
    r"[\p{Emoji}--\p{EPres}--[0-9#*]]\uFE0F",
    r"[0-9#*]\uFE0F\u20E3",
    r"(?<=[\p{JT=D}\p{JT=L}][\p{JT=T}--\p{DI}]*)\u200C(?=[\p{JT=T}--\p{DI}]*[\p{JT=D}\p{JT=R}])",
    r"(?<=\p{ccc=9})(?:\u200D|\u200C(?=[\p{L}--\p{DI}]))",
    r"(?<=[\u09B0\u0CB0])\u200D(?=\p{ccc=9})",
)


def clean(text: str, limit: int = CONTENT_CHARS) -> str:
    """The text without invisible characters, cut at ``limit`` characters with a note that says so."""
    if len(text) <= limit:
        return _seen(text)
    seen = _seen(text[: 2 * limit])
    if len(seen) <= limit and len(text) <= 2 * limit:
        return seen
    return f"{_seen(seen[:limit])}… [cut, {len(text)} characters in all]"


def _seen(text: str) -> str:
    plain = text.replace("\n", "").replace("\t", "")
    if plain.isascii() and plain.isprintable():
        return text  # most text is, and this is the fast way to know
    unseen, needed_or_unseen = _patterns()
    return needed_or_unseen.sub(r"\g<needed>", text) if unseen.search(text) else text


@cache
def _patterns() -> tuple[regex.Pattern[str], regex.Pattern[str]]:
    import regex  # takes a while, and listing the tools needs none of it

    needed = f"(?P<needed>{'|'.join((_joined(), *_NEEDED))})|{_UNSEEN}"
    return regex.compile(_UNSEEN, regex.V1), regex.compile(needed, regex.V1)


def clean_json(value: Any, limit: int = CONTENT_CHARS) -> Any:
    """The same for every string of a JSON value, keys included."""
    match value:
        case str():
            return clean(value, limit)
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {clean(key, NAME_CHARS): clean_json(inner, limit) for key, inner in items}
        case list():
            return [clean_json(inner, limit) for inner in cast("list[object]", value)]
        case _:
            return value


def upstream_text(text: str) -> str:
    """Chatwoot's own words for a person, on one line of at most 300 characters."""
    return clean(" ".join(text.split()), 300)
