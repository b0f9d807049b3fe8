"""The pages that show the sandbox's conversations."""

from __future__ import annotations

import httpx
import pytest

A = "/api/v1/accounts/1"


async def test_a_page_escapes_what_it_shows(http: httpx.AsyncClient) -> None:
    body = {"inbox_id": 2, "contact_id": 1, "message": {"content": "<script>alert(1)</script>"}}
    number = (await http.post(f"{A}/conversations", json=body)).json()["id"]
    page = await http.get(f"/app/accounts/1/conversations/{number}")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert page.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"


@pytest.mark.parametrize("path", ["/", "/app/accounts/1/dashboard", "/app/accounts/1/conversations"])
async def test_the_lists_link_to_conversations_and_show_no_token(http: httpx.AsyncClient, path: str) -> None:
    page = await http.get(path)
    assert 'href="/app/accounts/1/conversations/' in page.text
    assert "sandbox-admin" not in page.text


@pytest.mark.parametrize("path", ["/app/accounts/1/conversations/9999", "/app/accounts/99/conversations"])
async def test_an_unknown_address_is_a_page_that_says_so(http: httpx.AsyncClient, path: str) -> None:
    page = await http.get(path)
    assert (page.status_code, "Page not found" in page.text) == (404, True)
