"""Failing fast while Chatwoot is down, by a clock of its own."""

from __future__ import annotations

import pytest

from aiochatwoot import errors
from aiochatwoot.circuit import FAILURES, PAUSE_S, SILENCE_S, Circuit
from aiochatwoot.errors import ChatwootError

DOWN = errors.Unreachable("refused")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(clock)


def break_it(circuit: Circuit, failure: ChatwootError = DOWN, times: int = FAILURES) -> None:
    for _ in range(times):
        circuit.check()
        circuit.learn(failure)


@pytest.mark.parametrize(
    "failure",
    [
        DOWN,
        errors.TimedOut("silence"),
        errors.ConnectionLost("reset"),
        *(errors.ServerError(status) for status in (502, 503, 504)),
    ],
    ids=repr,
)
def test_enough_failures_in_a_row_open_it(circuit: Circuit, failure: ChatwootError) -> None:
    break_it(circuit, failure, FAILURES - 1)
    circuit.check()
    circuit.learn(failure)
    with pytest.raises(errors.CircuitOpen) as caught:
        circuit.check()
    assert (caught.value.retry_after_s, caught.value.effect) == (PAUSE_S, errors.Effect.NONE)


@pytest.mark.parametrize(
    "answer",
    [None, errors.ServerError(500), errors.RateLimited(None), errors.NotFound("no", http_status=404)],
    ids=repr,
)
def test_any_answer_of_the_application_begins_the_count_anew(circuit: Circuit, answer: ChatwootError | None) -> None:
    break_it(circuit, times=FAILURES - 1)
    circuit.learn(answer)
    break_it(circuit)
    circuit.check()


@pytest.mark.parametrize(
    "failure",
    [errors.DeadlineExceeded("over"), errors.UnexpectedResponse("html"), errors.Redirected("x", 302),
     errors.ResponseTooLarge("large")],
    ids=repr,
)  # fmt: skip
def test_what_tells_nothing_of_chatwoots_state_does_not_count(circuit: Circuit, failure: ChatwootError) -> None:
    break_it(circuit, failure, 100)
    assert not circuit.is_open


def test_under_load_failures_in_a_row_are_chance(circuit: Circuit, clock: Clock) -> None:
    circuit.learn(None)
    break_it(circuit, times=100)
    clock.now += SILENCE_S
    break_it(circuit, times=1)
    with pytest.raises(errors.CircuitOpen):
        circuit.check()


def test_after_the_pause_one_request_is_let_through_and_decides(circuit: Circuit, clock: Clock) -> None:
    break_it(circuit)
    clock.now += PAUSE_S
    circuit.check()  # this one
    with pytest.raises(errors.CircuitOpen):
        circuit.check()
    circuit.learn(DOWN)
    with pytest.raises(errors.CircuitOpen):
        circuit.check()
    clock.now += PAUSE_S
    circuit.check()
    circuit.learn(None)
    assert not circuit.is_open


def test_a_request_let_through_that_never_reports_does_not_shut_it_for_good(circuit: Circuit, clock: Clock) -> None:
    break_it(circuit)
    clock.now += PAUSE_S
    circuit.check()
    clock.now += PAUSE_S
    circuit.check()
