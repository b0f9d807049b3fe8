"""Credentials that are named and are not there."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from chatwoot_mcp.web.grants import Grant, GrantsFile
from chatwoot_sandbox import Sandbox
from web.web import CALL, client_of, http, web_app


@pytest.mark.parametrize("content", ["", " \n", None, b"\xff\xfe"], ids=["empty", "blank", "missing", "not text"])
async def test_a_key_whose_own_token_cannot_be_read_never_acts_with_the_servers(
    sandbox: Sandbox,
    callers_file: GrantsFile,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    content: str | bytes | None,
) -> None:
    """As it is for a moment while the file is written anew."""
    token = tmp_path / "agent"
    token.write_text("sandbox-agent", encoding="utf-8")
    key = callers_file.add(Grant(name="agent", token_file=token))
    async with web_app(sandbox, callers_file=str(tmp_path / "callers.json")) as app:
        if content is None:
            token.unlink()
        else:
            token.write_bytes(content.encode() if isinstance(content, str) else content)
        async with http(app, authorization=f"Bearer {key}") as client:
            assert (await client.post("/mcp", json=CALL)).status_code == 503
        assert sandbox.requests == []
        token.write_text("sandbox-agent", encoding="utf-8")
        async with client_of(app, authorization=f"Bearer {key}") as client:
            me: dict[str, Any] = (
                await client.call_tool("get_workspace", {"include": ["inboxes"]})
            ).structured_content or {}
    assert me["me"]["email"] == "bob@acme.test"
    [line] = [record.getMessage() for record in caplog.records if record.name == "chatwoot_mcp.refusals"]
    assert line == (
        "refused kind=unavailable caller=- untold=0 why=the token_file of agent cannot be read, or is empty"
    )
    assert caplog.records[0].levelno == logging.WARNING
