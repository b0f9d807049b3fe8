"""The retry table, row by row."""

import math

import pytest

from aiochatwoot import errors
from aiochatwoot.errors import ChatwootError
from aiochatwoot.retry import delay_before_retry

NOT_SENT = errors.Unreachable("refused")
THROTTLED = errors.RateLimited(None)
GATEWAY = [errors.ServerError(status) for status in (502, 503, 504)]
LOST = [errors.ConnectionLost("reset"), errors.TimedOut("silence")]
FINAL = [
    errors.Redirected("elsewhere", 302),
    errors.NotFound("not found", http_status=404),
    errors.Rejected("no", (), 422),
    errors.TokenInvalid("unauthorized", http_status=401),
    errors.UnexpectedResponse("html"),
    errors.ResponseTooLarge("9 MiB"),
    errors.DeadlineExceeded("over"),
    errors.CircuitOpen(5.0),
    errors.Withdrawn("cancelled"),
]


def delay(failure: ChatwootError, *, is_write: bool, sent: int = 1, left: float = math.inf) -> float | None:
    return delay_before_retry(failure, is_write=is_write, sent=sent, time_left_s=left, jitter=1.0)


@pytest.mark.parametrize("failure", [NOT_SENT, THROTTLED])
@pytest.mark.parametrize("is_write", [False, True])
def test_what_surely_had_no_effect_is_sent_again_be_it_a_read_or_a_write(
    failure: ChatwootError, is_write: bool
) -> None:
    assert [delay(failure, is_write=is_write, sent=sent) for sent in (1, 2, 3)] == [0.5, 1.0, None]


@pytest.mark.parametrize("failure", [*GATEWAY, *LOST], ids=repr)
def test_a_read_whose_answer_was_lost_is_sent_again_and_a_write_never(failure: ChatwootError) -> None:
    assert [delay(failure, is_write=False, sent=sent) for sent in (1, 2, 3)] == [0.5, 1.0, None]
    assert delay(failure, is_write=True) is None


@pytest.mark.parametrize("status", [500, 501, 520])
def test_other_server_errors_are_retried_once_for_reads_alone(status: int) -> None:
    failure = errors.ServerError(status)
    assert [delay(failure, is_write=False, sent=sent) for sent in (1, 2)] == [0.5, None]
    assert delay(failure, is_write=True) is None


@pytest.mark.parametrize("failure", FINAL, ids=repr)
@pytest.mark.parametrize("is_write", [False, True])
def test_everything_else_is_final(failure: ChatwootError, is_write: bool) -> None:
    assert delay(failure, is_write=is_write) is None


def test_retry_after_is_obeyed_and_one_beyond_the_time_left_is_final() -> None:
    throttled = errors.RateLimited(7.0)
    assert delay(throttled, is_write=True, left=8.0) == 7.0
    assert delay(throttled, is_write=True, left=7.0) is None


def test_backoff_doubles_and_is_spread_from_nothing_to_its_cap() -> None:
    waits = [
        delay_before_retry(NOT_SENT, is_write=False, sent=2, time_left_s=math.inf, jitter=jitter)
        for jitter in (0.0, 0.5, 1.0)
    ]
    assert waits == [0.0, 0.5, 1.0]
