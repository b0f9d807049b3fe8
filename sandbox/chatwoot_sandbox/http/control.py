"""The sandbox's own endpoints, open to programs on this machine. Others, and pages in a browser, get 403.

- ``POST /sandbox/faults``: a JSON object with the fields of ``Fault``, e.g. ``{"kind": "status", "status": 503,
  "method": "POST", "path": "/conversations$", "times": 2}``; 204.
- ``DELETE /sandbox/faults``: removes all faults; 204.
- ``GET /sandbox/requests``: the requests to the API so far, as ``{"requests": [{method, path, query, body, status}]}``.
- ``GET /sandbox/ids``: what each key of the world stands for: an id, a token, a source id, an identifier, a uuid.
- ``POST /sandbox/settle``: runs now what Chatwoot does after its answers, even if it is due later; 204.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chatwoot_sandbox.http.faults import Fault, Faults
from chatwoot_sandbox.http.gate import RequestRecord
from chatwoot_sandbox.jobs import Jobs
from chatwoot_sandbox.store import json_columns
from chatwoot_sandbox.store.store import Store

_LOOPBACK = {"127.0.0.1", "::1"}
_ITS_NAMES = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(store: Store, faults: Faults, requests: list[RequestRecord], jobs: Jobs) -> list[Route]:
    async def faults_endpoint(request: Request) -> Response:
        if request.method == "DELETE":
            faults.clear()
            return Response(status_code=204)
        try:
            given: dict[str, Any] = await request.json()
            faults.add(Fault(**given))
        except (TypeError, ValueError):
            return JSONResponse({"error": "a JSON object with the fields of a fault is expected"}, 422)
        return Response(status_code=204)

    async def requests_endpoint(_: Request) -> Response:
        return JSONResponse({"requests": [asdict(record) for record in requests]})

    async def ids_endpoint(_: Request) -> Response:
        rows = store.rows("SELECT key, value FROM world_ids ORDER BY rowid")
        return JSONResponse({row["key"]: json_columns.load(row["value"]) for row in rows})

    async def settle_endpoint(_: Request) -> Response:
        jobs.settle()
        return Response(status_code=204)

    return [
        Route("/sandbox/faults", _only_from_here(faults_endpoint), methods=["POST", "DELETE"]),
        Route("/sandbox/requests", _only_from_here(requests_endpoint), methods=["GET"]),
        Route("/sandbox/ids", _only_from_here(ids_endpoint), methods=["GET"]),
        Route("/sandbox/settle", _only_from_here(settle_endpoint), methods=["POST"]),
    ]


def _only_from_here(endpoint: Endpoint) -> Endpoint:
    async def guarded(request: Request) -> Response:
        return await endpoint(request) if _is_from_here(request) else Response(status_code=403)

    return guarded


def _is_from_here(request: Request) -> bool:
    """From this machine, and not from a page of another site, even one whose name points here."""
    came_from_here = request.client is None or request.client.host in _LOOPBACK
    host = request.headers.get("host", "")
    origin = request.headers.get("origin", f"http://{host}")
    return came_from_here and bool(_ITS_NAMES.fullmatch(host)) and origin == f"http://{host}"
