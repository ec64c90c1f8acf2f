"""Changes of a flow: what is added, set and wired, and what is rejected with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from ryven_llm_nodes.agents import editing
from ryven_llm_nodes.errors import FlowError, UsageError
from ryven_llm_nodes.program import Graph, read_flow
from ryven_llm_nodes.program.project import graph_of_project
from ryven_llm_nodes.templates import TEMPLATES


def drawn(*kinds: str) -> Graph:
    graph = Graph("flow", (), Path())
    for kind in kinds:
        graph, _ = editing.add(graph, kind)
    return graph


def test_names_are_free_and_kinds_are_found_in_any_spelling() -> None:
    graph = drawn("LoadModel", "load dataset", "sft", "SFT")
    assert [(step.name, step.node.__name__) for step in graph.steps][2:] == [("sft", "SFT"), ("sft_2", "SFT")]
    with pytest.raises(UsageError, match=r"there is no node 'Grop'\. Did you mean 'grpo'"):
        editing.add(graph, "Grop")
    with pytest.raises(UsageError, match="already a node 'sft'"):
        editing.add(graph, "dpo", "sft")
    with pytest.raises(UsageError, match=r"'my node' is no name of a node; 'my_node' is"):
        editing.add(graph, "dpo", "my node")


def test_values_are_set_and_put_back() -> None:
    graph = editing.set_values(drawn("sft"), "sft", {"max_steps": 3, "learning_rate": 1e-4})
    assert graph.by_name["sft"].given == {"max_steps": 3, "learning_rate": 1e-4}
    assert editing.set_values(graph, "sft", {"max_steps": None}).by_name["sft"].given == {"learning_rate": 1e-4}
    with pytest.raises(UsageError, match=r"SFT 'sft' > max_step: .*max_steps"):
        editing.set_values(graph, "sft", {"max_step": 3})


def test_null_stays_where_it_means_something() -> None:
    graph = editing.set_values(drawn("grpo"), "grpo", {"reward_threshold": None})
    assert graph.by_name["grpo"].given == {"reward_threshold": None}


def test_wires_find_the_ports_that_fit() -> None:
    graph = drawn("load model", "load dataset", "dpo", "save model")
    base, rows, dpo, final = (step.name for step in graph.steps)
    graph, wire = editing.connect(graph, base, dpo)
    assert wire == f"{base}.model -> dpo.model"
    graph, wire = editing.connect(graph, base, f"{dpo}.reference")
    graph, _ = editing.connect(graph, rows, f"{dpo}.dataset")
    graph, wire = editing.connect(graph, dpo, final)
    assert wire == f"dpo.model -> {final}.model"
    with pytest.raises(UsageError, match=r"no wire fits: Load Dataset .* gives dataset \(dataset\)"):
        editing.connect(graph, rows, final)
    graph = editing.disconnect(graph, f"{dpo}.reference")
    assert "reference" not in graph.by_name[dpo].wires
    with pytest.raises(UsageError, match=r"there is no wire\. Wired inputs of dpo: model, dataset"):
        editing.disconnect(graph, f"{dpo}.reference")
    graph = editing.remove(graph, base)
    assert list(graph.by_name[dpo].wires) == ["dataset"]


def test_a_circle_is_rejected() -> None:
    graph = drawn("sft", "dpo")
    graph, _ = editing.connect(graph, "sft", "dpo.model")
    with pytest.raises(FlowError, match="its output leads back to itself"):
        editing.connect(graph, "dpo", "sft.model")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_flow_that_is_written_reads_the_same(template: str, tmp_path: Path) -> None:
    graph = graph_of_project(TEMPLATES[template](), tmp_path)
    editing.write(graph, tmp_path / "flow.json")
    again = read_flow(tmp_path / "flow.json")
    assert editing.described(again) == editing.described(graph)
    assert again.digest == graph.digest
    places = [step.place for step in again.steps]
    assert len(set(places)) == len(places), "no node lies on another"
