"""What holds requests back before they are sent: Chatwoot's throttles, and a Chatwoot that is down.

One process keeps both to itself (``Limits``); whoever runs several may share them by another implementation.
"""

from __future__ import annotations

from aiochatwoot.circuit import Circuit
from aiochatwoot.errors import ChatwootError
from aiochatwoot.throttle import Throttle


class Limits:
    """The limits of one credential, in this process; a ``throttle`` may be one of several, each a ``caller`` of it."""

    def __init__(
        self, throttle: Throttle | None = None, circuit: Circuit | None = None, caller: str | None = None
    ) -> None:
        self.throttle = throttle or Throttle()
        self.circuit = circuit or Circuit()
        self.caller = caller

    async def admit(self, path: str, *, at_most_s: float, insist: bool) -> float:
        """The seconds until a request to this path may be sent; ``at_most_s`` or more: it may not.

        Raises CircuitOpen, unless the caller insists: one that has written must find out what became of it.
        """
        if not insist:
            self.circuit.check()
        return self.throttle.reserve(path, at_most_s=at_most_s, caller=self.caller)

    async def learn(self, failure: ChatwootError | None) -> None:
        """What became of a request: None for a good answer."""
        self.circuit.learn(failure)
