"""Strangers who reach the server where its operator thought that only this machine would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import httpx2
import pytest

from chatwoot_mcp.settings import SettingsError, read_settings
from chatwoot_mcp.web.app import build_app
from chatwoot_mcp.web.grants import Grant, GrantsFile
from chatwoot_mcp.web.serve import check_exposure
from chatwoot_sandbox import Sandbox, serve
from web.services import DEPLOY, nginx_of_the_example
from web.test_process import refused, server
from web.web import CALL, HERE, JSON, http, web_app

REAL: Final = {"CHATWOOT_BASE_URL": "http://127.0.0.1:9", "CHATWOOT_API_TOKEN": "t"}
NAMED: Final = [
    {"CHATWOOT_MCP_ALLOWED_HOSTS": "mcp.acme.test"},
    {"CHATWOOT_MCP_ALLOWED_HOSTS": "*"},
    {"CHATWOOT_MCP_PUBLIC_URL": "https://mcp.acme.test/mcp"},
]


@pytest.mark.parametrize("named", NAMED, ids=str)
def test_a_server_with_a_name_for_others_does_not_start_where_nobody_has_to_say_who_they_are(
    named: dict[str, str],
) -> None:
    """Behind a proxy on the same machine ``--host`` stays loopback, and everybody came in with the server's token."""
    said = refused(**REAL, **named)
    assert next(iter(named)) in said
    assert "CHATWOOT_MCP_CALLERS_FILE" in said


@pytest.mark.parametrize("named", NAMED, ids=str)
def test_no_other_way_to_start_it_gets_around_that(named: dict[str, str]) -> None:
    assert "CHATWOOT_MCP_CALLERS_FILE" in refused("--sandbox", **named)
    with pytest.raises(SettingsError):
        build_app(read_settings({**REAL, **named}))


async def test_the_example_files_together_let_nobody_in_without_a_key(sandbox: Sandbox, tmp_path: Path) -> None:
    """The unit, started as it says, behind nginx as its file says; what an operator adds is a Chatwoot and a key."""
    unit = (DEPLOY / "chatwoot-mcp.service").read_text(encoding="utf-8")
    (tmp_path / "token").write_text("sandbox-admin", encoding="utf-8")
    key = GrantsFile(tmp_path / "callers.json").add(Grant(name="helpdesk"))
    env = dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE))
    env = {name: re.sub(r"^(%d|/var/lib/chatwoot-mcp)", str(tmp_path), value) for name, value in env.items()}
    env.setdefault("CHATWOOT_MCP_ALLOWED_HOSTS", "mcp.example.com")  # as nginx.conf asks for
    workers = re.findall(r"^ExecStart=\S+ http --port 8080 (.*)$", unit, re.MULTILINE)[0].split()
    async with (
        serve(sandbox) as chatwoot,
        server(*workers, CHATWOOT_BASE_URL=chatwoot, **env) as (_, base_url),
        nginx_of_the_example(base_url, tmp_path, **JSON) as ask,
    ):
        stranger = await ask.post("/mcp", json=CALL)
        caller = await ask.post("/mcp", json=CALL, headers={"authorization": f"Bearer {key}"})
    assert (stranger.status_code, caller.status_code) == (401, 200)


def test_nginx_leads_to_where_the_unit_and_the_compose_file_listen_under_the_name_that_they_expect() -> None:
    nginx, unit, compose, kubernetes = (
        (DEPLOY / name).read_text(encoding="utf-8")
        for name in ("nginx.conf", "chatwoot-mcp.service", "compose.yaml", "kubernetes/deployment.yaml")
    )
    assert re.findall(r"^ *server (\S+) max_fails", nginx, re.MULTILINE) == ["127.0.0.1:8080"]
    assert " --port 8080 " in unit
    assert '"127.0.0.1:8080:8080"' in compose
    [name] = re.findall(r"server_name (\S+);", nginx)
    assert f"Environment=CHATWOOT_MCP_ALLOWED_HOSTS={name}\n" in unit
    assert f"CHATWOOT_MCP_ALLOWED_HOSTS:-{name}" in compose
    assert f"CHATWOOT_MCP_ALLOWED_HOSTS, value: {name}" in kubernetes
    for text in (unit, compose, kubernetes):
        assert "CHATWOOT_MCP_CALLERS_FILE" in text


def test_the_examples_end_tls_in_front_and_leave_no_port_without_it() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert re.findall(r"listen ([^;]*);", nginx) == ["443 ssl"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "mcp.acme.test"}, 421),
        ({"host": "127.0.0.1.evil.test"}, 421),
        ({"host": "evil@localhost"}, 421),
        ({"host": "localhost:80:evil.test"}, 421),
        ({"x-forwarded-for": "203.0.113.7"}, 403),
        ({"x-real-ip": "203.0.113.7"}, 403),
        ({"forwarded": "for=203.0.113.7"}, 403),
        ({"via": "1.1 gateway"}, 403),
    ],
    ids=str,
)
async def test_where_nobody_says_who_they_are_only_this_machine_gets_in_and_others_read_what_is_missing(
    sandbox: Sandbox, headers: dict[str, str], status: int
) -> None:
    async with web_app(sandbox) as app, http(app) as client:
        answer = await client.post("/mcp", json=CALL, headers=headers)
        assert answer.status_code == status
        assert "CHATWOOT_MCP_CALLERS_FILE" in answer.text
        assert (await client.post("/mcp", json=CALL)).status_code == 200
    assert sandbox.requests == []


async def test_an_open_server_that_something_else_bound_beyond_loopback_lets_nobody_in_from_there(
    sandbox: Sandbox,
) -> None:
    """``uvicorn --factory chatwoot_mcp.web.serve:app_of_environment --host 0.0.0.0``: a Host is quickly made up."""
    async with web_app(sandbox) as app:
        transport = httpx2.ASGITransport(app=app, client=("203.0.113.7", 50_000))
        async with httpx2.AsyncClient(transport=transport, base_url=HERE, headers=JSON) as stranger:
            assert (await stranger.post("/mcp", json=CALL)).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://localhost.evil.test", "http://[", ""])
@pytest.mark.parametrize("hosts", ["mcp.acme.test", "*"])
async def test_no_web_page_calls_whose_origin_is_not_allowed_whatever_hosts_are(
    sandbox: Sandbox, tmp_path: Path, hosts: str, origin: str
) -> None:
    key = GrantsFile(tmp_path / "callers.json").add(Grant(name="helpdesk"))
    settings = {"callers_file": str(tmp_path / "callers.json"), "allowed_hosts": hosts}
    async with (
        web_app(sandbox, **settings) as app,
        http(app, host="mcp.acme.test", authorization=f"Bearer {key}") as client,
    ):
        answer = await client.post("/mcp", json=CALL, headers={"origin": origin})
        assert answer.status_code == 403
        assert "CHATWOOT_MCP_ALLOWED_ORIGINS" in answer.text
        assert (await client.post("/mcp", json=CALL)).status_code == 200


async def test_who_is_refused_for_a_host_or_an_origin_leaves_a_line_and_a_figure(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with web_app(sandbox) as app, http(app) as client:
        await client.post("/mcp", json=CALL, headers={"host": "canary.test"})
        await client.post("/mcp", json=CALL, headers={"origin": "https://canary.test"})
        text = (await client.get("/metrics")).text
    lines = [record.getMessage() for record in caplog.records if record.name == "chatwoot_mcp.refusals"]
    assert [line.split()[1] for line in lines] == ["kind=host", "kind=origin"]
    for kind in ("host", "origin"):
        assert f'chatwoot_mcp_refusals_total{{kind="{kind}"}} 1.0' in text
    assert "canary" not in caplog.text + text


async def test_an_origin_beside_a_good_one_does_not_pass(sandbox: Sandbox) -> None:
    async with web_app(sandbox) as app, http(app) as client:
        both = [*client.headers.items(), ("origin", "http://localhost:6274"), ("origin", "https://evil.test")]
        assert (await client.post("/mcp", json=CALL, headers=both)).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:8080", "[::1]:8080"])
async def test_on_this_machine_it_works_without_keys(sandbox: Sandbox, host: str) -> None:
    async with web_app(sandbox) as app, http(app, host=host, origin="http://localhost:6274") as client:
        assert (await client.post("/mcp", json=CALL)).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "127.0.0.1.evil.test"])  # noqa: S104
def test_beyond_loopback_it_listens_only_where_callers_say_who_they_are(host: str) -> None:
    with pytest.raises(SettingsError, match="CHATWOOT_MCP_CALLERS_FILE"):
        check_exposure(read_settings(REAL), host)
