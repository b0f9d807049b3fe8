"""Misbehaviour on demand, and the endpoints that ask for it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chatwoot_sandbox import ConnectionCut, Fault, Sandbox, serve

A = "/api/v1/accounts/1"


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
