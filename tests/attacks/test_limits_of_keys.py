"""A refusal names the limit that it is about: an operator who widens the wrong one opens the server to others too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mcp_types as types
import pytest

from chatwoot_mcp.web.grants import Grant, GrantsFile
from chatwoot_sandbox import Sandbox
from web.web import client_of, web_app

READ = ("get_conversation", {"conversation_id": 4})
OPEN = ("create_conversation", {"inbox_id": 2, "contact_id": 1})


async def said(sandbox: Sandbox, folder: Path, call: tuple[str, dict[str, Any]], grant: Grant, **settings: str) -> str:
    key = GrantsFile(folder / "callers.json").add(grant)
    async with (
        web_app(sandbox, callers_file=str(folder / "callers.json"), **settings) as app,
        client_of(app, authorization=f"Bearer {key}") as client,
    ):
        result = await client.call_tool(*call)
    [block] = result.content
    assert result.is_error
    assert isinstance(block, types.TextContent)
    return block.text


@pytest.mark.parametrize(
    ("limits", "call", "named"),
    [
        ({"inboxes": frozenset({3})}, OPEN, "Allowed by the limit `inboxes` of the caller's key or subject: 3."),
        ({"inboxes": frozenset[int]()}, OPEN, "Allowed by the limit `inboxes` of the caller's key or subject: none."),
        (
            {"accounts": frozenset({2})},
            (READ[0], {**READ[1], "account_id": 1}),
            "Allowed by the limit `accounts` of the caller's key or subject: 2.",
        ),
        ({"read_only": True}, OPEN, "its key or subject is `read_only`"),
        ({"toolsets": frozenset({"create_conversation"})}, READ, "the `toolsets` of the caller's key or subject"),
    ],
)
async def test_a_keys_limit_is_named_as_that(
    sandbox: Sandbox, tmp_path: Path, limits: dict[str, Any], call: tuple[str, dict[str, Any]], named: str
) -> None:
    text = await said(sandbox, tmp_path, call, Grant(name="helpdesk", **limits))
    assert named in text
    assert "CHATWOOT_MCP_" not in text


@pytest.mark.parametrize(
    ("settings", "limits", "call", "named"),
    [
        ({"allowed_inboxes": "3"}, {}, OPEN, "CHATWOOT_MCP_ALLOWED_INBOXES: 3."),
        # What is listed is what this caller may use, not what others may.
        (
            {"allowed_inboxes": "3,4"},
            {"inboxes": frozenset({2, 3})},
            OPEN,
            "CHATWOOT_MCP_ALLOWED_INBOXES: 3.",
        ),
        ({"read_only": "true"}, {"read_only": True}, OPEN, "CHATWOOT_MCP_READ_ONLY"),
        ({"toolsets": "create_conversation"}, {}, READ, "CHATWOOT_MCP_TOOLSETS"),
    ],
)
async def test_the_operators_limit_is_named_by_its_variable(
    sandbox: Sandbox,
    tmp_path: Path,
    settings: dict[str, str],
    limits: dict[str, Any],
    call: tuple[str, dict[str, Any]],
    named: str,
) -> None:
    text = await said(sandbox, tmp_path, call, Grant(name="helpdesk", **limits), **settings)
    assert named in text
    assert "caller's key" not in text
