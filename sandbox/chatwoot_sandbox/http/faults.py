"""Misbehaviour on demand: what networks, proxies and a failing Chatwoot do."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal[
    "latency", "status", "status_after", "html", "cut_before", "cut_after", "oversized", "broken", "redirect"
]


class ConnectionCut(ConnectionResetError):
    """The connection is lost. Without sockets, the client gets this exception itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule: what happens to the next ``times`` requests (None: to all) of this method and path.

    ``path`` is a regular expression, searched for. The kinds:

    - ``latency``: wait ``delay_s`` seconds, then go on;
    - ``status``: answer ``status`` without reaching the app (429 with ``retry_after``, if given);
    - ``status_after``: the app runs and commits, then ``status`` is answered;
    - ``html``: 200 with a page, without reaching the app;
    - ``cut_before``, ``cut_after``: the connection is lost before the app runs, or after it committed;
    - ``oversized``, ``broken``: the app runs and commits, then 9 MiB of JSON, or half of a JSON document, is answered;
    - ``redirect``: 302 to ``location``.
    """

    kind: Kind
    method: str | None = None
    path: str | None = None
    times: int | None = 1
    status: int = 500
    delay_s: float = 0.0
    retry_after: str | None = None
    location: str | None = None

    def meets(self, method: str, path: str) -> bool:
        return self.method in (None, method) and (self.path is None or re.search(self.path, path) is not None)


class Faults:
    """The rules in force, oldest first. The first that matches a request is used."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._rules.append(fault)

    def clear(self) -> None:
        self._rules.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The rule for a request, if any; counts as one use of it."""
        for index, fault in enumerate(self._rules):
            if fault.meets(method, path):
                self._spend(index, fault)
                return fault
        return None

    def _spend(self, index: int, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times <= 1:
            del self._rules[index]
        else:
            self._rules[index] = replace(fault, times=fault.times - 1)
