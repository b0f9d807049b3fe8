"""Who may ask, in which order Chatwoot checks it, and how it refuses; and misbehaviour on demand."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chatwoot_sandbox import ConnectionCut, Fault, Sandbox, serve

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


async def test_what_the_look_ups_hold(http: httpx.AsyncClient) -> None:
    profile = (await http.get("/api/v1/profile")).json()
    assert [(account["id"], account["role"]) for account in profile["accounts"]] == [(1, "administrator")]
    inboxes = (await http.get(f"{A}/inboxes")).json()["payload"]
    assert sorted(inbox["id"] for inbox in inboxes) == list(range(1, 17))
    assert [inbox["name"] for inbox in inboxes] == sorted(inbox["name"] for inbox in inboxes)
    assert "channel-secret-api" in (await http.get(f"{A}/inboxes/2")).text
    agents = (await http.get(f"{A}/agents")).json()
    assert [agent["id"] for agent in agents] == [1, 2, 3, 4, 5]
    teams = (await http.get(f"{A}/teams")).json()
    assert [team["name"] for team in teams] == ["support", "billing", "empty"]
    members = (await http.get(f"{A}/teams/1/team_members")).json()
    assert [member["id"] for member in members] == [2, 3]
    assignable = (await http.get(f"{A}/assignable_agents", params={"inbox_ids[]": "2"})).json()["payload"]
    assert sorted(agent["id"] for agent in assignable) == [1, 2, 3, 5]
    in_inbox = (await http.get(f"{A}/inbox_members/2")).json()["payload"]
    assert [agent["id"] for agent in in_inbox] == [2, 3]


async def test_an_agent_sees_the_inboxes_they_are_in_and_no_secrets(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{A}/inboxes", headers={"api_access_token": "sandbox-agent"})
    assert sorted(inbox["id"] for inbox in answer.json()["payload"]) == [1, 2, 3, 4, 14, 15, 16]
    assert "channel-secret" not in answer.text


# --- misbehaviour ----------------------------------------------------------------------------------------------------


async def ask(http: httpx.AsyncClient) -> httpx.Response:
    return await http.post(f"{A}/conversations", json={"inbox_id": 2, "contact_id": 1})


def count(sandbox: Sandbox) -> int:
    return len(sandbox.store.rows("SELECT id FROM conversations WHERE account_id = 1"))


@pytest.mark.parametrize(
    ("fault", "status", "created"),
    [
        (Fault("latency", delay_s=0), 200, 1),
        (Fault("status", status=503), 503, 0),
        (Fault("status", status=429, retry_after="3"), 429, 0),
        (Fault("status_after", status=500), 500, 1),
        (Fault("html"), 200, 0),
        (Fault("oversized"), 200, 1),
        (Fault("broken"), 200, 1),
        (Fault("redirect", location="https://x.test/"), 302, 0),
    ],
)
async def test_a_fault_does_what_it_says_once(
    sandbox: Sandbox, http: httpx.AsyncClient, fault: Fault, status: int, created: int
) -> None:
    before = count(sandbox)
    sandbox.faults.add(fault)
    answer = await ask(http)
    assert (answer.status_code, count(sandbox) - before) == (status, created)
    assert (answer.headers.get("retry-after"), answer.headers.get("location")) == (fault.retry_after, fault.location)
    assert (await ask(http)).status_code == 200


@pytest.mark.parametrize(("kind", "created"), [("cut_before", 0), ("cut_after", 1)])
async def test_a_cut_connection_is_an_exception_in_process_and_a_reset_over_sockets(
    sandbox: Sandbox, http: httpx.AsyncClient, kind: Any, created: int
) -> None:
    before = count(sandbox)
    sandbox.faults.add(Fault(kind))
    with pytest.raises(ConnectionCut):
        await ask(http)
    sandbox.faults.add(Fault(kind))
    async with serve(sandbox) as base_url, httpx.AsyncClient(base_url=base_url, headers=http.headers) as real:
        with pytest.raises(httpx.TransportError):
            await ask(real)
    assert count(sandbox) - before == 2 * created
    assert [record.status for record in sandbox.requests] == [None, None]


async def test_faults_meet_their_method_and_path_only_and_as_often_as_told(
    sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    sandbox.faults.add(Fault("status", status=503, method="POST", path="/conversations$", times=2))
    assert (await http.get(f"{A}/conversations/3")).status_code == 200
    assert [(await ask(http)).status_code for _ in range(3)] == [503, 503, 200]


async def test_the_control_endpoints_set_faults_and_tell_what_arrived(sandbox: Sandbox) -> None:
    async with serve(sandbox) as base_url:
        headers = {"api-access-token": "sandbox-admin"}
        async with httpx.AsyncClient(base_url=base_url, headers=headers) as http:
            rule = {"kind": "status", "status": 503, "method": "POST", "times": None}
            assert (await http.post("/sandbox/faults", json=rule)).status_code == 204
            assert (await ask(http)).status_code == 503
            assert (await http.delete("/sandbox/faults")).status_code == 204
            assert (await ask(http)).status_code == 200
            unusable: list[Any] = [{"kind": "status", "nosuch": 1}, {}, []]
            for wrong in unusable:
                assert (await http.post("/sandbox/faults", json=wrong)).status_code == 422
            told = (await http.get("/sandbox/requests")).json()["requests"]
    record = {"method": "POST", "path": f"{A}/conversations", "query": "", "body": {"inbox_id": 2, "contact_id": 1}}
    assert told == [{**record, "status": 503}, {**record, "status": 200}]


async def test_a_taken_port_is_an_error(sandbox: Sandbox) -> None:
    async with serve(sandbox) as base_url:
        with pytest.raises(OSError, match="in use"):
            async with serve(sandbox, port=int(base_url.rpartition(":")[2])):
                pass


async def test_the_bot_of_an_inbox_comes_whole_with_its_token_and_no_bot_is_an_empty_object(
    http: httpx.AsyncClient,
) -> None:
    assert (await http.get(f"{A}/inboxes/2/agent_bot")).json() == {}
    whole = (await http.get(f"{A}/inboxes/14/agent_bot")).json()["agent_bot"]
    made = whole["access_token"]["created_at"]
    assert whole == {
        "id": 1,
        "name": "Helper Bot",
        "description": None,
        "thumbnail": "",
        "outgoing_url": None,
        "bot_type": "webhook",
        "bot_config": {},
        "account_id": 1,
        "access_token": {
            "id": 5,
            "owner_type": "AgentBot",
            "owner_id": 1,
            "token": "sandbox-bot",
            "created_at": made,
            "updated_at": made,
        },
        "secret": "channel-secret-bot-1",
        "system_bot": False,
    }
    as_agent = await http.get(f"{A}/inboxes/14/agent_bot", headers={"api_access_token": "sandbox-agent"})
    del whole["secret"]
    assert as_agent.json() == {"agent_bot": whole}
