"""Mends how Ryven loads packages of nodes."""

from __future__ import annotations

import os
import sys
from typing import Any

from ryven_llm_nodes.host.versions import RYVEN, workaround


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
