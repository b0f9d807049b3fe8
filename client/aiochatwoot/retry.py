"""When a request may be sent again, and after how long: the whole policy, as one pure function.

=====================================================  ==============================  =========================
what happened                                          a read                          a write
=====================================================  ==============================  =========================
surely not sent (refused, DNS, TLS, connect timeout)   again                           again
not sent, as Chatwoot is known to be down              no                              no
429                                                    after Retry-After or backoff    the same: it had no effect
502, 503, 504, connection lost, timed out              again                           never
500 and other 5xx                                      again, once                     never
anything else                                          no                              no
=====================================================  ==============================  =========================
"""

from __future__ import annotations

from aiochatwoot.errors import (
    ChatwootError,
    CircuitOpen,
    ConnectionLost,
    DeadlineExceeded,
    RateLimited,
    ServerError,
    TimedOut,
    Unreachable,
    Withdrawn,
)

MAX_REQUESTS = 3
"""Requests for one call, the first included."""
BACKOFF_S = 0.5
BACKOFF_CAP_S = 8.0

_GATEWAY = {502, 503, 504}


def delay_before_retry(
    failure: ChatwootError, *, is_write: bool, sent: int, time_left_s: float, jitter: float
) -> float | None:
    """Seconds to wait before sending again, or None when the failure is final.

    ``sent`` counts the requests so far (1 or more); ``jitter`` is drawn from 0 to 1 (full jitter). A wait that
    does not fit into ``time_left_s`` is final as well.
    """
    if sent >= MAX_REQUESTS or not _may_repeat(failure, is_write=is_write, sent=sent):
        return None
    wait = jitter * min(BACKOFF_CAP_S, BACKOFF_S * 2.0 ** (sent - 1))
    if isinstance(failure, RateLimited) and failure.retry_after_s is not None:
        wait = failure.retry_after_s
    return wait if wait < time_left_s else None


def _may_repeat(failure: ChatwootError, *, is_write: bool, sent: int) -> bool:
    match failure:
        case CircuitOpen() | Withdrawn():
            return False
        case Unreachable() | RateLimited():
            return True
        case DeadlineExceeded():
            return False
        case ConnectionLost() | TimedOut():
            return not is_write
        case ServerError(http_status=status):
            return not is_write and (status in _GATEWAY or sent == 1)
        case _:
            return False
