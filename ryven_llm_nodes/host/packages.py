"""Mends how Ryven loads packages of nodes."""

from __future__ import annotations

import os
import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from typing import Any

from ryven_llm_nodes.host.versions import CORE_QT, RYVEN, workaround


@workaround(CORE_QT)
def search_without_numpy() -> None:
    """flows/node_list_widget/utils.py:1: imports textdistance, and with it NumPy, which takes a third of the start.

    Only the search that host/node_list.py replaces uses it, so it is loaded when somebody else does.
    """
    spec = find_spec("textdistance") if "textdistance" not in sys.modules else None
    if spec is not None and spec.loader is not None:
        spec.loader = LazyLoader(spec.loader)
        module = module_from_spec(spec)
        sys.modules["textdistance"] = module
        spec.loader.exec_module(module)


@workaround(RYVEN)
def load_again() -> None:
    """main/utils.py:40: a package that is imported already registers no nodes, so a second window would have none."""
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
