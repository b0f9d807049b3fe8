"""What real Chatwoots answered, through the client's own methods. The recording is the expectation."""

from __future__ import annotations

import inspect

import httpx
import pytest

from aiochatwoot import Budget, Chatwoot, Transport, writes
from aiochatwoot.request import Request
from aiochatwoot.resources._base import Resource
from chatwoot_tools import Desk, Policy, ToolFailure
from chatwoot_tools.failures.diagnosis import explain
from chatwoot_tools.writing.opening.refusal import explain_refusal
from chatwoot_tools.writing.opening.target import Target
from recorded import versions
from recorded.agreement import Keys, look
from recorded.recordings import VERSIONS
from recorded.refusals import code_of
from recorded.replay import BASE_URL, Played, played
from recorded.ways import WAYS

every_version = pytest.mark.parametrize("version", VERSIONS)

NEVER_RECORDED = {"contacts.by_source_id"}


def nowhere(_: httpx.Request) -> httpx.Response:
    raise AssertionError("nothing more is asked")


async def told(one: Played) -> ToolFailure:
    """The failure as a tool shows it."""
    assert one.failure is not None, one
    if one.way.name != "conversations.create" or one.exchange.status == 404:  # which id a 404 means is asked for
        return explain(one.failure, writing=one.way.is_write)
    transport = Transport(BASE_URL, "token", http=httpx.MockTransport(nowhere))
    async with Chatwoot(transport) as client:
        desk = Desk(client, Policy())
        return await explain_refusal(one.failure, Target(1, 2, 3, None), desk.open_call())


@every_version
async def test_every_answer_to_what_the_client_can_ask_is_understood(version: str) -> None:
    failed = [one for one in await played(version) if one.exchange.status < 300 and one.failure]
    assert failed == []


@every_version
async def test_what_is_understood_is_what_was_answered(version: str) -> None:
    keys = Keys()
    for one in await played(version):
        if one.failure is None:
            look(one, keys)
    assert keys.wrong == []
    assert len(keys.met) > 80


@every_version
async def test_every_refusal_comes_out_as_its_code(version: str) -> None:
    refused = [one for one in await played(version) if one.exchange.status >= 300]
    wanted = [code_of(one.exchange, creating=one.way.name == "conversations.create") for one in refused]
    got = [await told(one) for one in refused]
    assert [
        (one, failure.code, code)
        for one, failure, code in zip(refused, got, wanted, strict=True)
        if failure.code != code
    ] == []
    assert [failure.http_status for failure in got] == [one.exchange.status for one in refused]


@every_version
async def test_a_search_tells_that_there_is_more(version: str) -> None:
    pages = {
        one.exchange.query: one.result.has_more
        for one in await played(version)
        if one.way.name == "contacts.search" and one.failure is None
    }
    assert (pages[("q", "customers.test"),], pages[("q", "jane"),]) == (True, False)


@every_version
async def test_no_secret_of_a_bot_gets_past_the_client(version: str) -> None:
    names = [one.result for one in await played(version) if one.way.name == "inboxes.agent_bot"]
    assert names == ["Helper Bot", None]


@every_version
async def test_the_document_says_how_many_were_played(version: str) -> None:
    assert await versions.figures(version) in versions.DOCUMENT.read_text(encoding="utf-8").splitlines()


@every_version
async def test_the_document_says_which_keys_are_missing(version: str) -> None:
    assert await versions.missing_keys(version) == versions.documented_missing_keys(version)


def test_the_document_says_what_differs() -> None:
    assert versions.differences() in versions.DOCUMENT.read_text(encoding="utf-8")


def test_the_readme_and_the_document_name_the_versions_that_were_recorded() -> None:
    numbers = list(dict.fromkeys(version.partition("-")[0] for version in VERSIONS))
    first, last = (number.rpartition(".")[0] for number in (numbers[0], numbers[-1]))
    document = versions.DOCUMENT.read_text(encoding="utf-8")
    readme = (versions.DOCUMENT.parents[1] / "README.md").read_text(encoding="utf-8")
    assert all(f"with Chatwoot {first} to {last}, in both editions" in text for text in (readme, document))
    assert f"{', '.join(numbers[:-1])} and {numbers[-1]}" in document


async def test_every_method_of_the_client_and_every_write_was_asked_for() -> None:
    client = Chatwoot(Transport(BASE_URL, "token"), Budget(1))
    methods = {
        f"{family}.{name}"
        for family, resource in vars(client).items()
        if isinstance(resource, Resource)
        for name, _ in inspect.getmembers(resource, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }
    built = {
        name
        for name, function in inspect.getmembers(writes, inspect.isfunction)
        if function.__module__ == writes.__name__ and not name.startswith("_")
    }
    names = {way.name.partition(" ")[0] for way in WAYS}
    assert names == methods | built - {"create_conversation"}  # conversations.create performs it
    asked = {one.way.name for one in await played("4.15.1")}
    assert {way.name for way in WAYS} - asked == NEVER_RECORDED
    assert isinstance(writes.create_conversation(1, {}), Request)
