"""What someone who chooses a flow wants to know: what it needs, whether it runs here, what became of it last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ryven_llm_nodes.gui.style.colours import GOOD, MUTED, WARN
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.host.session import default_output_dir
from ryven_llm_nodes.program import Graph
from ryven_llm_nodes.program.names import identifier
from ryven_llm_nodes.run.records.history import past_runs
from ryven_llm_nodes.templates import About

Line = tuple[str, str]
"""A text and its colour."""
GPU: Final = Path("/dev/nvidia0")


@dataclass(frozen=True)
class Machine:
    """What counts of this machine: its main memory in gigabytes, and whether it has a GPU."""

    memory: float
    has_gpu: bool


def machine() -> Machine:
    """This one. Loads no torch, which takes seconds."""
    import psutil

    return Machine(psutil.virtual_memory().total / 2**30, GPU.exists())


def needs(graph: Graph) -> str:
    """The models and datasets that are loaded, by their last names."""
    found = dict.fromkeys(
        str(step.setting("path")).rstrip("/").rpartition("/")[2]
        for step in graph.steps
        if not step.node.in_ports and not step.node.writes and "path" in step.node.all_parameters()
    )
    return ", ".join(name for name in found if name)


def about(template: About, graph: Graph, here: Machine) -> Iterator[Line]:
    """What a template needs, whether it runs on the machine ``here``, and how long it trains."""
    yield needs(graph), MUTED
    yield runs_here(template, here)
    yield f"{template.steps:,} optimizer steps", MUTED


def runs_here(template: About, here: Machine) -> Line:
    """Whether the memory is enough; on a GPU, `ryven-llm fit` tells."""
    size = f"about {template.gigabytes:.0f} GB"
    if here.has_gpu:
        return f"{size}; there is a GPU", GOOD
    if template.gigabytes > here.memory:
        return f"{size}; here are {here.memory:.0f} GB", WARN
    if template.billions >= 1:
        return f"{size}; needs a GPU", WARN
    return f"{size}; runs here", GOOD


def last_result(title: str) -> Line | None:
    """How the last run of the flow called ``title`` ended, where there was one."""
    folder = default_output_dir(identifier(title, "flow"))
    runs = [run for run in past_runs(folder) if run.flow == title] if os.path.isdir(folder) else []
    if not runs:
        return None
    return f"{runs[0].status} · {runs[0].began}", state_colour(runs[0].status)
