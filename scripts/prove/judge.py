"""Is what a tool said what is there? Each result is taken at its word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from scripts.prove.case import There, read
from scripts.prove.direct import Row

_DONE: Final = {"done", "already_done"}
_DONE_BEFORE: Final = re.compile(r"Changed before that: ([^.]*)\.")
_UNCERTAIN: Final = re.compile(r"\bnot (yet )?known\b")


@dataclass(frozen=True, slots=True)
class Told:
    """What a call said: the structured content of its result, or the code and text of its failure."""

    result: Row
    code: str | None = None
    text: str = ""
    retryable: bool = False

    @property
    def outcome(self) -> str:
        """In a word or two."""
        if self.code is not None:
            return self.code
        if "steps" in self.result:
            open_steps = [step["step"] for step in self.result["steps"] if step["status"] not in _DONE]
            return f"incomplete: {', '.join(open_steps)}" if open_steps else "complete"
        return str(self.result.get("outcome", "shown"))


@dataclass(frozen=True, slots=True)
class Claim:
    """What was said of one part: that it is there (under this id, or with this value), is not, or cannot be told."""

    of: Literal["there", "absent", "unknown"]
    named: Any = None


def claims(tool: str, told: Told, there: There) -> dict[str, Claim]:
    """By part, for every part that the call was to make."""
    if told.code is not None:
        return {part: _of_failure(part, told, there) for part in there.parts}
    match tool:
        case "create_conversation":
            named = {"conversation": told.result["conversation"]["id"], "message": _id(told.result.get("message"))}
            return {part: Claim("there" if named[part] else "unknown", named[part]) for part in there.parts}
        case "reply_to_conversation" | "add_private_note":
            return {"message": Claim("there", _id(told.result.get("message")))}
        case "update_conversation":
            return {part: Claim("there" if part in told.result["applied"] else "absent") for part in there.parts}
        case "save_contact":
            return {part: _of_contact(part, told.result) for part in there.parts}
        case "escalate_to_human":
            return {part: _of_step(part, told.result) for part in there.parts}
        case _:
            return {}


def lies(tool: str, told: Told, there: There) -> list[str]:
    """In what the two differ; of things that are there twice at any rate."""
    found = list(there.wrong)
    if told.code == "internal_error":
        found.append("failed unforeseen")
    for part, claim in claims(tool, told, there).items():
        held = there.parts[part]
        if len(held) > 1:
            found.append(f"{part} doubled: there is {_listed(held)}")
        elif claim.of == "there" and not held:
            found.append(f"{part} said to be there, and is not")
        elif claim.of == "there" and claim.named is not None and claim.named not in held:
            found.append(f"{part} {claim.named} shown, there is {_listed(held)}")
        elif claim.of == "absent" and held:
            found.append(f"{part} said not to be there, and is")
    return [*found, *_shown_wrong(told, there)]


def _of_failure(part: str, told: Told, there: There) -> Claim:
    """Of a failure its code is its word (README says what each means), but for what its text says was done before."""
    if part == "contact" and any(re.search(rf"\b{held}\b", told.text) for held in there.parts[part]):
        return Claim("there")
    before = _DONE_BEFORE.search(told.text)
    if before is not None and part in before[1].split(", "):
        return Claim("there")
    return Claim("unknown" if told.code == "outcome_unknown" else "absent")


def _of_contact(part: str, result: Row) -> Claim:
    if part == "source_id":
        vague = any(_UNCERTAIN.search(warning) for warning in result.get("warnings", []))
        missing: Literal["absent", "unknown"] = "unknown" if vague else "absent"
        return Claim("there" if "source_id" in result else missing, result.get("source_id"))
    if part == "name":
        unset = any(entry["field"] == "name" for entry in result["not_applied"])
        return Claim("absent" if unset else "there", None if unset else result["contact"]["name"])
    return Claim("there", result["contact"]["id"])


def _of_step(part: str, result: Row) -> Claim:
    for step in result["steps"]:
        if step["step"] != part:
            continue
        if step["status"] in _DONE:
            return Claim("there", result["conversation"]["id"] if part == "conversation" else None)
        vague = step["status"] == "unknown" or _UNCERTAIN.search(step.get("detail") or "")
        return Claim("unknown" if vague else "absent")
    return Claim("absent")


def _shown_wrong(told: Told, there: There) -> list[str]:
    """Of a conversation that is shown, what was asked for is shown as it is."""
    shown = told.result.get("conversation")
    if shown is None or there.conversation is None:
        return []
    differing = [name for name in there.fields if read(shown, name) != read(there.conversation, name)]
    return [f"{name} shown as {read(shown, name)}, it is {read(there.conversation, name)}" for name in differing]


def _id(message: Row | None) -> Any:
    return None if message is None else message["id"]


def _listed(held: list[Any]) -> str:
    return ", ".join(map(str, held))
