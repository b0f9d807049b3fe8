"""Chatwoot, asked directly: what is really there, and what the cases stand on.

Nothing here goes through the tools or their client, and every endpoint is one that 3.16 to 4.15 have.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

import httpx

from aiochatwoot.throttle import Throttle

Row = dict[str, Any]

TURNS: Final = 4
MESSAGE_PAGES: Final = 3
CONTACT_PAGES: Final = 60
PER_PAGE: Final = 20


class Unusable(Exception):
    """The instance, or what was said about it, does not do. The text is one line with the way out."""


class Direct:
    """One account of one Chatwoot. Each request waits for its turn, so that Chatwoot need not throttle."""

    def __init__(self, http: httpx.AsyncClient, throttle: Throttle) -> None:
        self._http = http
        self._throttle = throttle
        self.account = "/api/v1/accounts/0"
        self.contacts_seen: set[int] = set()
        self.conversations_seen: set[int] = set()

    async def get(self, path: str, **query: Any) -> Any:
        """Asked again after a failure that may pass."""
        return await self._ask("GET", path, again=True, params=query)

    async def write(self, path: str, body: Row) -> Any:
        return await self._ask("POST", path, again=False, json=body)

    async def _ask(self, method: str, path: str, *, again: bool, absent: int | None = None, **how: Any) -> Any:
        """None where the status is the one that says that there is no such thing."""
        where = path if path.startswith("/") else f"{self.account}/{path}"
        answer: httpx.Response | None = None
        for turn in range(TURNS):
            await asyncio.sleep(max(2.0**turn if turn else 0.0, self._throttle.reserve(where, at_most_s=600)))
            try:
                answer = await self._http.request(method, where, **how)
            except httpx.TransportError:
                answer = None
            refused = answer is not None and answer.status_code == 429
            if not refused and (not again or (answer is not None and answer.status_code < 500)):
                break
        if answer is not None and answer.status_code == absent:
            return None
        return _decoded(answer, f"{method} {path}")

    async def contacts_like(self, text: str, pages: int = CONTACT_PAGES) -> list[Row]:
        """Those whose name or e-mail holds the text."""
        found: dict[int, Row] = {}
        for page in range(1, pages + 1):
            rows = (await self.get("contacts/search", q=text, page=page))["payload"]
            found |= {row["id"]: row for row in rows}
            self.contacts_seen |= found.keys()
            if not rows:
                break
        return list(found.values())

    async def contact(self, contact_id: int) -> Row:
        return cast("Row", (await self.get(f"contacts/{contact_id}"))["payload"])

    async def conversations_of(self, contact_id: int) -> list[Row]:
        rows = cast("list[Row]", (await self.get(f"contacts/{contact_id}/conversations"))["payload"])
        self.conversations_seen |= {row["id"] for row in rows}
        return rows

    async def conversation(self, conversation_id: int) -> Row:
        return cast("Row", await self.get(f"conversations/{conversation_id}"))

    async def messages(self, conversation_id: int) -> list[Row]:
        """The newest, a few pages of them."""
        found: list[Row] = []
        for _ in range(MESSAGE_PAGES):
            before = {"before": found[0]["id"]} if found else {}
            page = (await self.get(f"conversations/{conversation_id}/messages", **before))["payload"]
            found = [*page, *found]
            if len(page) < PER_PAGE:
                break
        return found

    async def make_contact(self, name: str) -> int:
        """With an e-mail address: without one, Chatwoot before 4.11 finds nobody by name."""
        made = int((await self.write("contacts", {"name": name, "email": email_of(name)}))["payload"]["contact"]["id"])
        self.contacts_seen.add(made)
        return made

    async def contacts_between(self, first: int, last: int) -> list[Row]:
        """By the ids, which are given out in order: the one way that finds those of a name alone in every version."""
        rows = [await self._ask("GET", f"contacts/{each}", again=True, absent=404) for each in range(first + 1, last)]
        return [row["payload"] for row in rows if row is not None]

    async def make_conversation(self, inbox_id: int, contact_id: int, status: str) -> int:
        body = {"inbox_id": inbox_id, "contact_id": contact_id, "status": status}
        made = int((await self.write("conversations", body))["id"])
        self.conversations_seen.add(made)
        return made

    async def make_message(self, conversation_id: int, content: str, *, private: bool) -> int:
        body = {"content": content, "private": private}
        return int((await self.write(f"conversations/{conversation_id}/messages", body))["id"])


def email_of(name: str) -> str:
    return f"{name.replace(' ', '-')}@example.test"


def _decoded(answer: httpx.Response | None, what: str) -> Any:
    if answer is None:
        raise Unusable(f"{what} got no answer")
    if answer.status_code != 200:
        raise Unusable(f"{what} was answered with {answer.status_code}")
    try:
        return answer.json()
    except ValueError:
        raise Unusable(f"{what} was not answered with JSON") from None
