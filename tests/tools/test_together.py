"""Look-ups that run side by side end together."""

from __future__ import annotations

import asyncio

import pytest

from chatwoot_tools.call.together import together


async def test_what_each_answers_comes_in_the_order_of_asking() -> None:
    async def answer(value: int, turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return value

    assert await together(answer(1, 3), answer(2, 0), answer(3, 1)) == (1, 2, 3)


async def test_where_one_fails_its_own_error_comes_and_no_other_goes_on() -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def failing() -> None:
        await asyncio.sleep(0)
        raise LookupError("first")

    with pytest.raises(LookupError, match="first") as raised:
        await together(endless(), failing(), endless())
    assert (ended, raised.value.__suppress_context__) == (["cancelled"] * 2, True)
