"""The module that Ryven loads. A leaf: Ryven registers no nodes if anything else has imported this file before.

Nothing heavy is imported here: torch, transformers and TRL are loaded when a flow is first run.
"""

from pathlib import Path
from typing import Any

from ryven.node_env import export_nodes, on_gui_load

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode


def run_flow(flow: Any, to: LLMNode, **options: Any) -> Any:
    """What a node's ``run`` does in a stock Ryven: runs the flow up to that node, relative to the current folder."""
    from ryven_llm_nodes.host.session import run_live_flow

    return run_live_flow(flow, to, root=options.pop("root", Path.cwd()), **options)


LLMNode.runner = staticmethod(run_flow)
export_nodes(list(ALL_NODES))


@on_gui_load
def load_gui() -> None:
    """Registers how the nodes look and adds the editor's shell to Ryven's window. Called in the editor only."""
    from ryven_llm_nodes.gui.editor import load

    load()
