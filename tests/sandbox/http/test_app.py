"""Who may ask, in which order Chatwoot checks it, and how it refuses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

A = "/api/v1/accounts/1"
NOT_FOUND = {"error": "Resource could not be found"}


def refused(text: str) -> dict[str, str]:
    return {"error": text}


@pytest.mark.parametrize(
    ("token", "path", "status", "body"),
    [
        (None, f"{A}/inboxes", 401, {"errors": ["You need to sign in or sign up before continuing."]}),
        (" ", f"{A}/inboxes", 401, {"errors": ["You need to sign in or sign up before continuing."]}),
        ("nobody", f"{A}/inboxes", 401, refused("Invalid Access Token")),
        ("nobody", "/api/v1/accounts/99/inboxes", 401, refused("Invalid Access Token")),
        ("sandbox-bot", f"{A}/inboxes", 401, refused("Access to this endpoint is not authorized for bots")),
        ("sandbox-bot", "/api/v1/profile", 401, refused("Access to this endpoint is not authorized for bots")),
        (
            "sandbox-platform",
            f"{A}/conversations/3",
            401,
            refused("Access to this endpoint is not authorized for bots"),
        ),
        (
            "sandbox-foreign-bot",
            f"{A}/conversations/3",
            401,
            refused("Bot is not authorized to access this account"),
        ),
        ("sandbox-other", f"{A}/inboxes", 401, refused("You are not authorized to access this account")),
        ("sandbox-owner", "/api/v1/accounts/2/inboxes", 401, refused("Account is suspended")),
        ("sandbox-other", "/api/v1/accounts/2/inboxes", 401, refused("Account is suspended")),
        ("sandbox-admin", "/api/v1/accounts/99/inboxes", 404, NOT_FOUND),
        ("sandbox-other", A, 404, NOT_FOUND),
        ("sandbox-agent", f"{A}/inboxes/5", 401, refused("You are not authorized to do this action")),
        ("sandbox-agent", f"{A}/conversations/999", 404, NOT_FOUND),
        ("sandbox-admin", f"{A}/conversations/20", 404, NOT_FOUND),
        ("sandbox-admin", f"{A}/nosuch", 404, {"status": 404, "error": "Not Found"}),
        (None, "/api/v9/x", 404, {"status": 404, "error": "Not Found"}),
        (
            "sandbox-admin",
            f"{A}/automation_rules",
            501,
            refused("not implemented in the sandbox: GET /api/v1/accounts/1/automation_rules"),
        ),
    ],
)
async def test_refusals_come_in_chatwoots_order_and_words(
    http: httpx.AsyncClient, token: str | None, path: str, status: int, body: Any
) -> None:
    del http.headers["api_access_token"]
    headers = {} if token is None else {"api-access-token": token}
    answer = await http.get(path, headers=headers)
    assert (answer.status_code, answer.json()) == (status, body)


async def test_malformed_json_is_refused_before_anybody_is_asked_for_a_token(http: httpx.AsyncClient) -> None:
    del http.headers["api_access_token"]
    json_headers = {"content-type": "application/json"}
    answer = await http.post(f"{A}/conversations", content=b"{", headers=json_headers)
    assert (answer.status_code, answer.json()) == (400, {"status": 400, "error": "Bad Request"})
    answer = await http.post(f"{A}/conversations", content=b"{", headers={**json_headers, "accept": "*/*"})
    assert (answer.status_code, answer.text) == (400, "")


async def test_unknown_routes_are_a_page_for_whoever_does_not_ask_for_json(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v9/x", headers={"accept": "*/*"})
    assert (answer.status_code, "Page not found" in answer.text) == (404, True)


async def test_a_body_without_a_json_content_type_is_not_read(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{A}/conversations", content=b'{"inbox_id": 2, "contact_id": 1}')
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
