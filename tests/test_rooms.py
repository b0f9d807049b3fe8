"""No module of ours imports another that imports it in turn."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import Final

import pytest

PACKAGES: Final = ("chatwoot_mcp", "chatwoot_tools", "aiochatwoot", "chatwoot_sandbox")


def test_no_modules_import_each_other() -> None:
    """import-linter compares siblings; this also finds a package and a module inside it."""
    graph = pytest.importorskip("grimp").build_graph(*PACKAGES, cache_dir=None)
    imports = {(module, other) for module in graph.modules for other in graph.find_modules_directly_imported_by(module)}
    order = TopologicalSorter[str]()
    for module, other in imports:
        order.add(module, other)
    order.prepare()
