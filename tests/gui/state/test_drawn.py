"""A flow with the nodes that it had when it was read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.gui.state.drawn import Drawn
from ryven_llm_nodes.program import read_live_flow


def test_steps_keep_their_nodes(editor: Any) -> None:
    base, sft = editor.place(LoadModel, "base", path="m"), editor.place(SFT, "sft")
    drawn = Drawn.of(read_live_flow(editor.flow, Path()), editor.flow)
    editor.flow.remove_node(base)
    assert drawn.nodes == {"base": base, "sft": sft}
    assert [drawn.step_of(node) for node in (base, sft, object())] == ["base", "sft", ""]
