"""Several look-ups at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")
One = TypeVar("One")
Other = TypeVar("Other")


@overload
async def together(one: Coroutine[Any, Any, One], other: Coroutine[Any, Any, Other], /) -> tuple[One, Other]: ...
@overload
async def together(*asked: Coroutine[Any, Any, T]) -> tuple[T, ...]: ...
async def together(*asked: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """What each answers. Where one fails the others are cancelled, so that none goes on behind an error's back.

    Raises what the first to fail raised.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in asked]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return tuple(task.result() for task in tasks)
