"""Flows that begin with a model that a run has left: to train it further, or to measure it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue import Evaluate
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.importing.data import model_node
from ryven_llm_nodes.importing.places import Places
from ryven_llm_nodes.program import Graph, Step
from ryven_llm_nodes.program.graph import Wire
from ryven_llm_nodes.program.layout import laid_out
from ryven_llm_nodes.program.names import Names
from ryven_llm_nodes.program.project import as_project

HELD_OUT: Final = ("eval_dataset", "dataset")
"""The inputs of a stage whose rows can measure its model, the better ones first."""
PLACES: Final = ("file", "folder")


def flow_with(model: Path, name: str, folder: Path) -> dict[str, Any]:
    """A project for ``folder`` with one node, which loads the folder ``model`` and is called ``name``."""
    return as_project(Graph(f"{name} further", (_model(model, name, folder),), folder))


def evaluation_of(graph: Graph, stage: str, model: Path, folder: Path) -> dict[str, Any]:
    """A project for ``folder`` that evaluates ``model``, which ``stage`` of ``graph`` has left.

    Its rows are those that the stage was evaluated on, else those of its training; the reward is that of the stage.
    """
    step = graph.by_name[stage]
    ports = {"dataset": next((port for port in HELD_OUT if port in step.wires), "")}
    ports["reward"] = next(iter(step.wired("reward")), "")
    wires = {port: step.wires[source] for port, source in ports.items() if source}
    needed = [_moved(one, graph.root, folder) for one in graph.upstream([w.step for w in wires.values()]).steps]
    names = Names(one.name for one in needed)
    loaded, measured = _model(model, names.claim(stage), folder), names.claim("evaluation")
    wires["model"] = Wire(loaded.name, loaded.node.out_ports[0].name)
    steps = (*needed, loaded, Step(measured, Evaluate, {}, wires))
    return as_project(laid_out(Graph(f"evaluate {stage}", steps, folder)))


def _model(model: Path, name: str, folder: Path) -> Step:
    node, params = model_node(model, folder)
    return Step(name, node, params)


def _moved(step: Step, root: Path, folder: Path) -> Step:
    """``step`` in a flow whose paths are relative to ``folder`` instead of ``root``."""
    known, places = step.node.all_parameters(), Places((root,), folder)
    given: Mapping[str, JSON] = {
        name: places.of(value) if isinstance(value, str) and _is_place(known.get(name)) else value
        for name, value in step.given.items()
    }
    return replace(step, given=given)


def _is_place(parameter: Any) -> bool:
    return parameter is not None and parameter.widget in PLACES
