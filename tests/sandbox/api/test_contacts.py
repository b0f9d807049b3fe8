"""Contacts and their inboxes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

A = "/api/v1/accounts/1"


async def test_the_list_leaves_out_contacts_without_any_address(http: httpx.AsyncClient) -> None:
    answer = (await http.get(f"{A}/contacts")).json()
    assert 4 not in [row["id"] for row in answer["payload"]]
    assert answer["meta"]["current_page"] == 1


@pytest.mark.parametrize(
    ("text", "found"), [("JANE@", [1]), ("crm-1001", [1]), ("CRM-1001", []), ("+15550001001", [1])]
)
async def test_search_looks_for_parts_of_texts(http: httpx.AsyncClient, text: str, found: list[int]) -> None:
    answer = (await http.get(f"{A}/contacts/search", params={"q": text})).json()
    assert [row["id"] for row in answer["payload"]] == found


@pytest.mark.parametrize(
    ("body", "message", "attributes"),
    [
        ({"email": "Jane@customers.test"}, "Email has already been taken", ["email"]),
        ({"email": "nope"}, "Email Invalid email", ["email"]),
        ({"phone_number": "123"}, "Phone number should be in e164 format", ["phone_number"]),
        ({"identifier": "crm-1001"}, "Identifier has already been taken", ["identifier"]),
    ],
)
async def test_a_contact_that_does_not_validate_is_refused(
    http: httpx.AsyncClient, body: dict[str, Any], message: str, attributes: list[str]
) -> None:
    answer = await http.post(f"{A}/contacts", json=body)
    assert (answer.status_code, answer.json()) == (422, {"message": message, "attributes": attributes})


async def test_an_update_merges_attributes(http: httpx.AsyncClient) -> None:
    made = (await http.post(f"{A}/contacts", json={"custom_attributes": {"a": 1}})).json()["payload"]["contact"]
    answer = await http.patch(f"{A}/contacts/{made['id']}", json={"custom_attributes": {"b": 2}})
    assert answer.json()["payload"]["custom_attributes"] == {"a": 1, "b": 2}


async def test_a_source_id_finds_its_bare_contact_or_an_empty_404(http: httpx.AsyncClient) -> None:
    url = f"{A}/contact_inboxes/filter"
    assert (await http.post(url, json={"inbox_id": 2, "source_id": "jane-api"})).json()["id"] == 1
    missing = await http.post(url, json={"inbox_id": 2, "source_id": "nobody"})
    assert (missing.status_code, missing.content) == (404, b"")


async def test_contactable_inboxes_name_the_source_ids(http: httpx.AsyncClient) -> None:
    payload = (await http.get(f"{A}/contacts/1/contactable_inboxes")).json()["payload"]
    sources = {row["inbox"]["id"]: row["source_id"] for row in payload}
    assert (sources[2], sources[4], sources[6]) == ("jane-api", "15550001001", "whatsapp:+15550001001")
    assert 10 not in sources


async def test_labels_of_a_contact_are_replaced(http: httpx.AsyncClient) -> None:
    url = f"{A}/contacts/1/labels"
    await http.post(url, json={"labels": ["a", "b"]})
    assert (await http.post(url, json={"labels": ["c"]})).json() == {"payload": ["c"]}


async def test_a_contact_shows_its_conversations(http: httpx.AsyncClient) -> None:
    payload = (await http.get(f"{A}/contacts/1/conversations")).json()["payload"]
    assert {"open", "resolved"} <= {row["status"] for row in payload}


async def test_a_contact_filter_compares_without_case(http: httpx.AsyncClient) -> None:
    item = {"attribute_key": "email", "filter_operator": "equal_to", "values": ["JANE@customers.test"]}
    answer = await http.post(f"{A}/contacts/filter", json={"payload": [item]})
    assert [row["id"] for row in answer.json()["payload"]] == [1]
