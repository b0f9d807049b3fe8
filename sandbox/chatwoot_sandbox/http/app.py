"""The app: routes, the order of Chatwoot's checks, and how its answers and refusals go out."""

from __future__ import annotations

import json
import logging
import re
import uuid
from datetime import UTC, datetime
from typing import Any, Final, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route as HttpRoute

from chatwoot_sandbox.api import accounts, agents, collections, contacts, conversations, inboxes, messages, teams
from chatwoot_sandbox.api.routing import Callers, Empty, Route
from chatwoot_sandbox.call import Call
from chatwoot_sandbox.http import auth, control, pages
from chatwoot_sandbox.http.faults import Faults
from chatwoot_sandbox.http.gate import RequestRecord
from chatwoot_sandbox.jobs import Jobs
from chatwoot_sandbox.rails import InternalError, NotAuthorized, Refusal, ResourceNotFound
from chatwoot_sandbox.records.messages import Upload
from chatwoot_sandbox.shapes.accounts import profile_view
from chatwoot_sandbox.store.store import Store

FAMILIES: Final = (accounts, agents, collections, contacts, conversations, inboxes, messages, teams)

_ACCOUNT: Final = re.compile(r"/api/v1/accounts/(?P<account_id>[^/]+)(?P<rest>/.*)?$")
_ELSEWHERE: Final = re.compile(
    r"/(actions|agent_bots|agents|applied_slas|articles|assignable_agents|assignment_policies|audit_logs"
    r"|automation_rules|bulk_actions|cache_keys|campaigns|canned_responses|captain|companies|contact_inboxes|contacts"
    r"|conversations|csat_survey_responses|custom_attribute_definitions|custom_filters|custom_roles|dashboard_apps"
    r"|inbox_members|inboxes|integrations|labels|macros|notification_settings|notifications|portals|reporting_events"
    r"|search|sla_policies|teams|update_active_at|upload|webhooks)(/|$)"
)
"""First segments of Chatwoot's paths below an account. What is not imitated of these is answered with 501."""
_NOT_FOUND_PAGE: Final = "<!DOCTYPE html><html><head><title>Page not found</title></head><body></body></html>"

_log = logging.getLogger("chatwoot_sandbox")


def build_app(store: Store, faults: Faults, requests: list[RequestRecord], jobs: Jobs) -> Starlette:
    api = _Api(store)
    routes = [
        HttpRoute("/api", api.about, methods=["GET"]),
        HttpRoute("/health", api.health, methods=["GET"]),
        HttpRoute("/api/{rest:path}", api.handle, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        *control.routes(store, faults, requests, jobs),
        *pages.routes(store),
    ]
    return Starlette(routes=routes)


class _Api:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._routes = [(route, _compile_path(route.path)) for family in FAMILIES for route in family.ROUTES]

    async def about(self, _: Request) -> Response:
        moment = datetime.fromtimestamp(self._store.now(), UTC).strftime("%Y-%m-%d %H:%M:%S")
        return _render_json(
            {"version": self._store.version.name, "timestamp": moment, "queue_services": "ok", "data_services": "ok"}
        )

    async def health(self, _: Request) -> Response:
        return _render_json({"status": "woot"})

    async def handle(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except Refusal as refusal:
            if isinstance(refusal.body, Empty):
                return Response(status_code=refusal.status)
            return _render_json(refusal.body, refusal.status)
        except Exception:  # noqa: BLE001 - as in Rails, anything unexpected is a 500
            _log.exception("an endpoint failed")
            return _render_json(InternalError().body, 500)

    async def _answer(self, request: Request) -> Response:
        path = re.sub(r"/+", "/", request.url.path).rstrip("/").removesuffix(".json")
        try:
            body = await _read_body(request)
        except ValueError:
            return _refuse_body(request)
        if path == "/api/v1/profile" and request.method == "GET":
            token = auth.read_token(request.headers)
            _, user = auth.find_owner(self._store, token, bots_allowed=False)
            return _render_json(profile_view(self._store, user, token))
        found = _ACCOUNT.match(path)
        if found is None:
            return _refuse_route(request)
        return self._answer_in_account(request, found["account_id"], found["rest"] or "", body)

    def _answer_in_account(self, request: Request, account_id: str, rest: str, body: dict[str, Any]) -> Response:
        found = self._find(request.method, rest)
        if found is None and not _ELSEWHERE.match(rest):
            return _refuse_route(request)
        bots_allowed = found is not None and self._allows_bots(found[0])
        kind, owner = auth.find_owner(self._store, auth.read_token(request.headers), bots_allowed=bots_allowed)
        account = auth.find_account(self._store, account_id)
        try:
            actor = auth.require_member(self._store, kind, owner, account)
        except NotAuthorized:
            if rest == "":  # the account itself is looked up among those of the person
                raise ResourceNotFound from None
            raise
        if found is None:
            return _render_json({"error": f"not implemented in the sandbox: {request.method} {request.url.path}"}, 501)
        route, values = found
        query = {name: request.query_params.getlist(name) for name in request.query_params}
        return _render_result(route.endpoint(Call(self._store, account, actor, values, query, body)))

    def _find(self, method: str, rest: str) -> tuple[Route, dict[str, str]] | None:
        for route, pattern in self._routes:
            if route.method == method and (found := pattern.fullmatch(rest)):
                return route, found.groupdict()
        return None

    def _allows_bots(self, route: Route) -> bool:
        if route.callers is not Callers.BOTS_TOO:
            return False
        return not self._store.version.closed_to_bots(route.method, route.path)


def _compile_path(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))


async def _read_body(request: Request) -> dict[str, Any]:
    """The decoded body; {} if it was not sent as JSON or as a form. Raises ValueError for broken JSON."""
    if "multipart/form-data" in request.headers.get("content-type", ""):
        return await _read_form(request)
    raw = await request.body()
    if not raw or "json" not in request.headers.get("content-type", ""):
        return {}
    try:
        body: object = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if "\\u0000" in json.dumps(body):
        raise InternalError  # Postgres stores no NUL
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {"_json": body}


async def _read_form(request: Request) -> dict[str, Any]:
    """The fields of a form, its files as ``Upload`` in ``attachments``."""
    async with request.form() as form:
        body: dict[str, Any] = {key: value for key, value in form.items() if isinstance(value, str)}
        files = [file for file in form.getlist("attachments[]") if not isinstance(file, str)]
        if files:
            body["attachments"] = [
                Upload(file.filename or "", file.content_type or "", len(await file.read())) for file in files
            ]
    return body


def _refuse_body(request: Request) -> Response:
    if _wants_json(request):
        return _render_json({"status": 400, "error": "Bad Request"}, 400)
    return Response(status_code=400, media_type="text/html")


def _refuse_route(request: Request) -> Response:
    if _wants_json(request):
        return _render_json({"status": 404, "error": "Not Found"}, 404)
    return HTMLResponse(_NOT_FOUND_PAGE, 404)


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _render_result(value: Any) -> Response:
    if isinstance(value, Empty):
        return Response(status_code=200, media_type="application/json", headers=_request_id_header())
    return _render_json(value)


def _render_json(value: Any, status: int = 200) -> Response:
    return JSONResponse(value, status, headers=_request_id_header(), media_type="application/json; charset=utf-8")


def _request_id_header() -> dict[str, str]:
    return {"x-request-id": str(uuid.uuid4())}
