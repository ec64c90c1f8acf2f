"""Flows that begin with a model that a run has left."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.importing.results import evaluation_of, flow_with
from ryven_llm_nodes.program import build
from ryven_llm_nodes.program.project import graph_of_project


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs" / "flow" / "sft"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_flow_that_begins_with_a_model(model: Path, tmp_path: Path) -> None:
    (step,) = graph_of_project(flow_with(model, "sft", tmp_path), tmp_path).steps
    assert (step.node.title, step.given) == ("Load Model", {"path": "./outputs/flow/sft"})


def test_a_model_is_measured_on_the_rows_of_its_stage(model: Path, data: Path, tmp_path: Path) -> None:
    graph = flows.graph(flows.alone("sft"), data)
    found = graph_of_project(evaluation_of(graph, "sft", model, tmp_path), tmp_path)
    build(found)
    assert [step.node.title for step in found.steps] == ["Load Dataset", "Load Model", "Evaluate"]
    rows, loaded, measured = found.steps
    assert {port: wire.step for port, wire in measured.wires.items()} == {"dataset": rows.name, "model": loaded.name}
    place = str(rows.given["path"])
    assert (tmp_path / place).resolve() == (data / str(graph.by_name[rows.name].given["path"])).resolve()


def test_rewards_score_the_samples(model: Path, data: Path, tmp_path: Path) -> None:
    graph = flows.graph(flows.alone("grpo"), data)
    found = graph_of_project(evaluation_of(graph, "grpo", model, tmp_path), tmp_path)
    build(found)
    measured = next(step for step in found.steps if step.node.title == "Evaluate")
    assert set(measured.wires) == {"model", "dataset", "reward"}
    assert "variety" in found.by_name
