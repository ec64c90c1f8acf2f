"""Fixes how Ryven loads packages of nodes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from ryven_llm_nodes.host.versions import CORE_QT, RYVEN, workaround


@workaround(CORE_QT)
def search_without_numpy() -> None:
    """flows/node_list_widget/utils.py:1: imports textdistance, and with it NumPy, a third of the startup time.

    Only the search that host/node_list.py replaces uses it, so it is loaded on first use. (LazyLoader does not
    work: shiboken inspects every attribute of every module.)
    """
    if "textdistance" not in sys.modules:
        stand_in = ModuleType("textdistance")
        stand_in.__getattr__ = _from_textdistance  # type: ignore[method-assign]
        sys.modules["textdistance"] = stand_in


def _from_textdistance(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if not hasattr(sys.modules["textdistance"], "__path__"):
        del sys.modules["textdistance"]
    return getattr(import_module("textdistance"), name)


@workaround(RYVEN)
def load_again() -> None:
    """main/utils.py:40: a package that is already imported registers no nodes, so a second window would have none."""
    from ryven.main.packages import nodes_package
    from ryven.main.packages.node_env import NodesEnvRegistry

    original = nodes_package.load_from_file

    def load_from_file(file: str, components_list: Any = None) -> Any:
        package = os.path.basename(os.path.dirname(file))
        if f"{package}.nodes" in sys.modules and package in NodesEnvRegistry.exported_package_metadata:
            NodesEnvRegistry.last_exported_package.append(NodesEnvRegistry.exported_package_metadata[package])
            return None
        return original(file, components_list)

    nodes_package.load_from_file = load_from_file
