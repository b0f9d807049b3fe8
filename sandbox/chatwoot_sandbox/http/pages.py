"""Pages that show what agents would see in Chatwoot. No scripts, no tokens, no channel secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from chatwoot_sandbox.rails import ResourceNotFound, leading_int
from chatwoot_sandbox.shapes.labels import labels_of
from chatwoot_sandbox.shapes.times import iso
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.enums import MessageType
from chatwoot_sandbox.store.store import Row, Store

_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_AUTHORS: Final = {"User": "users", "Contact": "contacts", "AgentBot": "agent_bots"}
_SHOWN: Final = 200
_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f6f8;color:#1f2d3d}
header{background:#1f93ff;padding:.8rem 1.5rem}header a{color:#fff;font-weight:600;text-decoration:none}
main{max-width:60rem;margin:1.5rem auto;padding:0 1rem}a{color:#1066c0}
table,dl,.bubble{background:#fff;border-radius:8px;box-shadow:0 1px 3px #0002}
table{width:100%;border-collapse:collapse}td,th{text-align:left;padding:.5rem .8rem;border-top:1px solid #e6ebf0}
dl{display:grid;grid-template-columns:9rem 1fr;gap:.3rem 1rem;padding:1rem}dt{color:#64748b}dd{margin:0}
.bubble{padding:.6rem .9rem;margin:.7rem 0;max-width:75%;width:fit-content;white-space:pre-wrap}
.outgoing,.template{margin-left:auto;background:#dcecff}.private{background:#fff4cf}
.activity{margin:.7rem auto;background:none;box-shadow:none;color:#64748b;font-size:.9rem}
.by{display:block;font-size:.8rem;color:#64748b}
"""


def _render_page(title: str, body: str, status: int = 200) -> HTMLResponse:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f'<header><a href="/">Chatwoot sandbox</a></header><main><h1>{escape(title)}</h1>{body}</main></body></html>'
    )
    return HTMLResponse(text, status, headers=_HEADERS)


def _name_of(store: Store, table: str, record_id: object, none: str = "none") -> str:
    found = store.by_id(table, record_id) if record_id is not None else None
    return str(found["name"] or f"#{record_id}") if found else none


def _render_row(store: Store, conversation: Row) -> str:
    address = f"/app/accounts/{conversation['account_id']}/conversations/{conversation['display_id']}"
    cells = (
        escape(_name_of(store, "contacts", conversation["contact_id"])),
        escape(_name_of(store, "inboxes", conversation["inbox_id"])),
        escape(str(conversation["status"])),
        escape(_name_of(store, "users", conversation["assignee_id"])),
        escape(str(iso(conversation["last_activity_at"]))),
    )
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><td><a href="{address}">#{conversation["display_id"]}</a></td>{row}</tr>'


def _render_list(store: Store, rows: list[Row]) -> HTMLResponse:
    if not rows:
        return _render_page("Conversations", "<p>There are no conversations yet.</p>")
    names = ("", "Contact", "Inbox", "Status", "Assignee", "Last activity")
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(_render_row(store, row) for row in rows)
    return _render_page("Conversations", f"<table><tr>{head}</tr>{body}</table>")


def _render_details(store: Store, conversation: Row) -> str:
    attributes = json.dumps(json_columns.load(conversation["custom_attributes"]), ensure_ascii=False)
    more = json.dumps(json_columns.load(conversation["additional_attributes"]), ensure_ascii=False)
    facts = {
        "Status": conversation["status"],
        "Priority": conversation["priority"] or "none",
        "Contact": _name_of(store, "contacts", conversation["contact_id"]),
        "Inbox": _name_of(store, "inboxes", conversation["inbox_id"]),
        "Assignee": _name_of(store, "users", conversation["assignee_id"]),
        "Team": _name_of(store, "teams", conversation["team_id"]),
        "Labels": ", ".join(labels_of(store, "conversation", conversation["id"])) or "none",
        "Attributes": attributes,
        "Additional": more,
        "Created": iso(conversation["created_at"]),
    }
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items()) + "</dl>"


def _render_message(store: Store, message: Row) -> str:
    kind = MessageType(message["message_type"]).name.lower()
    table = _AUTHORS.get(message["sender_type"] or "")
    author = _name_of(store, table, message["sender_id"]) if table else "System"
    private = bool(message["private"])
    told = f"{author} · {'private note' if private else kind} · {iso(message['created_at'])}"
    return (
        f'<div class="bubble {kind}{" private" if private else ""}">'
        f'<span class="by">{escape(told)}</span>{escape(message["content"] or "")}</div>'
    )


def _render_not_found() -> HTMLResponse:
    return _render_page("Page not found", "<p>There is nothing at this address.</p>", 404)


def _show_conversation(store: Store, request: Request) -> HTMLResponse:
    conversation = store.row(
        "SELECT * FROM conversations WHERE account_id = ? AND display_id = ?",
        leading_int(request.path_params["account_id"]),
        leading_int(request.path_params["conversation_id"]),
    )
    if conversation is None:
        return _render_not_found()
    messages = store.rows(
        "SELECT * FROM messages WHERE conversation_id = ? ORDER BY created_at, id", conversation["id"]
    )
    bubbles = "".join(_render_message(store, message) for message in messages) or "<p>No messages yet.</p>"
    return _render_page(f"Conversation #{conversation['display_id']}", _render_details(store, conversation) + bubbles)


def _show_account(store: Store, request: Request) -> HTMLResponse:
    account_id = leading_int(request.path_params["account_id"])
    if store.by_id("accounts", account_id) is None:
        return _render_not_found()
    return _render_list(
        store,
        store.rows(
            f"SELECT * FROM conversations WHERE account_id = ? ORDER BY created_at DESC, id DESC LIMIT {_SHOWN}",  # noqa: S608
            account_id,
        ),
    )


def _show_all(store: Store, request: Request) -> HTMLResponse:
    del request
    sql = f"SELECT * FROM conversations ORDER BY created_at DESC, id DESC LIMIT {_SHOWN}"  # noqa: S608 - a number
    return _render_list(store, store.rows(sql))


def routes(store: Store) -> list[Route]:
    """The routes of the pages. What does not exist is a 404 page."""

    def page(render: Callable[[Store, Request], HTMLResponse]) -> Callable[[Request], object]:
        async def answer(request: Request) -> HTMLResponse:
            try:
                return render(store, request)
            except ResourceNotFound:
                return _render_not_found()

        return answer

    base = "/app/accounts/{account_id}"
    return [
        Route("/", page(_show_all), methods=["GET"]),
        Route(f"{base}/dashboard", page(_show_account), methods=["GET"]),
        Route(f"{base}/conversations", page(_show_account), methods=["GET"]),
        Route(f"{base}/conversations/{{conversation_id}}", page(_show_conversation), methods=["GET"]),
    ]
