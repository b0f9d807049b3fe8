"""Who is refused leaves a trace: a line of the log (not one for each), and a figure for each."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp import MCPError

from chatwoot_mcp import records
from chatwoot_mcp.records import Refusals
from chatwoot_mcp.web.grants import Grant, GrantsFile
from chatwoot_sandbox import Sandbox
from web.web import CALL, client_of, http, web_app


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "chatwoot_mcp.refusals"]


async def test_refused_logins_forbidden_writes_and_unknown_tools_are_told_and_counted(
    sandbox: Sandbox, callers_file: GrantsFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = callers_file.add(Grant(name="reader", read_only=True))
    narrow = callers_file.add(Grant(name="narrow", toolsets=frozenset({"find_contacts"})))
    async with web_app(sandbox, callers_file=str(tmp_path / "callers.json")) as app:
        async with http(app) as client:
            for _ in range(3):
                await client.post("/mcp", json=CALL, headers={"authorization": "Bearer canary"})
            await client.post("/mcp", json=CALL)
        async with client_of(app, authorization=f"Bearer {reader}") as client:
            await client.call_tool("save_contact", {"name": "canary"})
            with pytest.raises(MCPError):
                await client.call_tool("canary", {})
        async with client_of(app, authorization=f"Bearer {narrow}") as client:
            await client.call_tool("save_contact", {"name": "canary"})
        async with http(app) as client:
            text = (await client.get("/metrics")).text
    assert lines(caplog) == [
        "refused kind=login caller=- untold=0 why=the bearer token is not known here",
        "refused kind=login caller=- untold=0 why=a bearer token is required",
        "refused kind=read_only caller=reader untold=0 why=save_contact",
        "refused kind=unknown_tool caller=reader untold=0 why=no tool has that name",
        "refused kind=not_allowed caller=narrow untold=0 why=save_contact",
    ]
    counted = {"login": 4, "read_only": 1, "unknown_tool": 1, "not_allowed": 1}
    for kind, times in counted.items():
        assert f'chatwoot_mcp_refusals_total{{kind="{kind}"}} {times}.0' in text
    assert "canary" not in caplog.text + text


async def test_a_callers_file_that_breaks_makes_the_server_unready_and_is_told(
    sandbox: Sandbox, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "callers.json"
    good = file.read_text(encoding="utf-8")
    async with web_app(sandbox, callers_file=str(file)) as app, http(app, authorization=f"Bearer {key}") as client:
        assert (await client.get("/readyz")).status_code == 200
        for broken in ("{", None):
            file.unlink() if broken is None else file.write_text(broken, encoding="utf-8")
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["callers_file"]) == (503, "unusable")
            assert (await client.post("/mcp", json=CALL)).status_code == 503
        file.write_text(good, encoding="utf-8")
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.post("/mcp", json=CALL)).status_code == 200
    assert lines(caplog) == [
        f"refused kind=unavailable caller=- untold=0 why={file} is not as it should be, at its beginning",
        f"refused kind=unavailable caller=- untold=0 why={file} cannot be read",
    ]


def test_a_flood_of_refusals_is_one_line_a_minute_and_no_memory(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, counted = [0.0], list[str]()
    refusals = Refusals(counted.append, clock=lambda: now[0])
    for _ in range(1000):
        refusals.tell("login", "unknown")
        refusals.tell("read_only", "save_contact", "helpdesk")
    now[0] = records.TELL_EVERY_S
    refusals.tell("login", "unknown")
    assert lines(caplog) == [
        "refused kind=login caller=- untold=0 why=unknown",
        "refused kind=read_only caller=helpdesk untold=0 why=save_contact",
        "refused kind=login caller=- untold=999 why=unknown",
    ]
    assert len(counted) == 2001
    monkeypatch.setattr(records, "MOST_KINDS", 10)
    for number in range(100):
        refusals.tell("read_only", "save_contact", f"caller-{number}")
    assert len(refusals._told) == 10  # pyright: ignore[reportPrivateUsage]
