"""Export Script, also called Generate Code: the flow as one plain Python script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import JSON, flag, text
from ryven_llm_nodes.catalogue.places import lacks, unwritable

OUR_SCRIPT: Final = "Written by ryven-llm-nodes"
"""A phrase that every script written by this package contains."""


class ExportScript(LLMNode):
    """Writes the flow as one plain Python script on torch, transformers and TRL, without this package."""

    title = "Export Script"
    position = 2
    stem = "script"
    icon, accent = "code", "output"
    leaves, writes = "file", "path"
    tags = ["export", "script", "code", "generate", "python", "py"]
    in_ports = (
        Port("model", "model", optional=True, help="Any model of the flow; the script contains the complete flow."),
    )
    parameters = (
        text(
            "path",
            "pipeline.py",
            "File to write when the flow is run; relative paths are below the output folder of the run.",
            required=True,
            widget="file",
        ),
        flag("lean", False, "Leave out crash safety and resuming: shorter, with the same weights."),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        return Cell()

    @classmethod
    def document(cls, context: NodeContext, script_for: Callable[[Path, bool], str], place: Path) -> str:
        return script_for(place.parent, context["lean"])

    @classmethod
    def rehearsed(cls, given: Mapping[str, JSON], name: str, steps: int) -> Mapping[str, JSON]:
        return {**given, "path": f"{name}.py"}

    @classmethod
    def is_others(cls, place: Path) -> bool:
        return lacks(place, OUR_SCRIPT)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        if wrong := unwritable(context["path"]):
            yield "path", wrong
