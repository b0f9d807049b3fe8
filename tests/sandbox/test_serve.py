"""The sandbox over real HTTP."""

from __future__ import annotations

import pytest

from chatwoot_sandbox import Sandbox, serve


async def test_a_taken_port_is_an_error(sandbox: Sandbox) -> None:
    async with serve(sandbox) as base_url:
        with pytest.raises(OSError, match="in use"):
            async with serve(sandbox, port=int(base_url.rpartition(":")[2])):
                pass
