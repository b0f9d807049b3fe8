"""What Chatwoot says of a refusal: what it wrote for people is shown, what went wrong inside it is not."""

from __future__ import annotations

import re
from typing import Any, Final

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from aiochatwoot.errors import detail_of, from_answer
from chatwoot_sandbox import Sandbox
from chatwoot_tools.failures.diagnosis import explain
from recorded.recordings import VERSIONS, recording
from support import Bench

ROW: Final = (
    'PG::NotNullViolation: ERROR:  null value in column "private" of relation "messages" violates not-null constraint\n'
    "DETAIL:  Failing row contains (414, secret-of-a-customer, 1, 2, 344, 1, 2026-11-24 13:38:06.721846, null).\n"
)
INSIDE: Final = {
    ROW,
    "Could not find or build blob: expected attachable, got secret-of-a-customer",
    "undefined method `gsub' for an instance of Array",
    "Connection refused - connect(2) for 10.0.0.3:6379",
    "Invalid argument - connect(2) for 10.0.0.3:6379",
    "unexpected token at '{\"secret-of-a-customer'",
    f"Validation failed: Content is too long\n{ROW}",
}
OF_RUBY_AND_POSTGRESQL: Final = re.compile(
    r"PG::|undefined method|no implicit conversion|string contains null byte|unable to convert|Couldn't find"
    r"|Could not find or build blob|'\{.*\}' is not a valid"
)
REFUSALS: Final = [
    ("create_conversation", {"inbox_id": 2, "contact_id": 1}),
    ("reply_to_conversation", {"conversation_id": 2, "content": "Hello"}),
    ("add_private_note", {"conversation_id": 2, "content": "Hello"}),
    ("update_conversation", {"conversation_id": 2, "priority": "low"}),
    ("save_contact", {"contact_id": 1, "name": "Other"}),
]


class Refusing:
    """Answers writes as a Chatwoot whose database refused them; the rest is the sandbox's."""

    def __init__(self, sandbox: Sandbox, error: str) -> None:
        self._app, self._error = sandbox.app, error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: Any = self._app if scope["method"] == "GET" else JSONResponse({"error": self._error}, 422)
        await app(scope, receive, send)


@pytest.mark.parametrize("error", sorted(INSIDE))
async def test_no_tool_shows_what_went_wrong_inside_chatwoot(sandbox: Sandbox, error: str) -> None:
    for tool, arguments in REFUSALS:
        failure = await Bench(sandbox, app=Refusing(sandbox, error)).refused(tool, **arguments)
        assert (failure.code, failure.http_status) == ("rejected", 422), tool
        assert not re.search(r"secret-of-a-customer|10\.0\.0\.3|PG::|DETAIL|undefined|\(2\)", failure.text), tool


def recorded_refusals() -> set[tuple[int, str, bool]]:
    """Status and text of each that was ever recorded, and whether it names fields."""
    return {
        (exchange.status, text, "attributes" in exchange.answer)
        for version in VERSIONS
        for exchange in recording(version).exchanges
        if exchange.status in (400, 402, 403, 422) and (text := detail_of(exchange.answer))
    }


def test_of_all_recorded_refusals_those_written_for_people_are_shown_and_no_others() -> None:
    refusals = recorded_refusals()
    assert len(refusals) > 100
    hidden = set[str]()
    for status, text, names_fields in refusals:
        body = {"message": text, "attributes": ["name"]} if names_fields else {"error": text}
        told = explain(from_answer(status, body, location_host=None, retry_after_s=None))
        if told.code == "rejected" and " ".join(text.split())[:300] not in told.text:
            hidden.add(text)
            assert told.text.startswith("Chatwoot rejected the request")
    assert hidden == {text for _, text, _ in refusals if OF_RUBY_AND_POSTGRESQL.search(text)}
    assert any("Failing row contains" in text for text in hidden)


@pytest.mark.parametrize("text", ["La validación falló: ya está en uso", "Email ist bereits vergeben"])
def test_a_validation_is_shown_in_any_language(text: str) -> None:
    answer = httpx.Response(422, json={"message": text, "attributes": ["email"]})
    told = explain(from_answer(422, answer.json(), location_host=None, retry_after_s=None))
    assert told.text == f"Chatwoot rejected the request: {text}."
