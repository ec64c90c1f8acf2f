"""The ready-made flows, and the examples that are written from them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from flows import graph, neutral, problems, program, save, without_flow

from ryven_llm_nodes import recipes, templates
from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, LoadModel
from ryven_llm_nodes.host.session import new_session, open_project
from ryven_llm_nodes.program import build, read_flow, read_live_flow

RECIPES = recipes.RECIPES
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("name", templates.TEMPLATES)
class TestEveryTemplate:
    def test_has_no_problems(self, name: str, tmp_path: Path) -> None:
        assert problems(templates.TEMPLATES[name](), tmp_path) == []

    def test_opens_in_ryven_and_means_the_same_there(self, name: str, tmp_path: Path) -> None:
        path = save(templates.TEMPLATES[name](), tmp_path / "flow.json")
        (flow,) = open_project(path).flows
        live, stored = read_live_flow(flow, tmp_path, "flow.json"), read_flow(path)
        assert live.digest == stored.digest
        assert without_flow(build(live).script.text) == without_flow(build(stored).script.text)

    def test_survives_being_saved_by_ryven(self, name: str, tmp_path: Path) -> None:
        path = save(templates.TEMPLATES[name](), tmp_path / "flow.json")
        again = new_session()
        again.load(open_project(path).serialize())
        (flow,) = again.flows
        assert read_live_flow(flow, tmp_path).digest == read_flow(path).digest

    def test_nothing_overlaps_on_the_canvas(self, name: str, tmp_path: Path) -> None:
        (flow,) = templates.TEMPLATES[name]()["flows"].values()
        places = [(node["pos x"], node["pos y"]) for node in flow["nodes"]]
        assert len(set(places)) == len(places)

    def test_wires_go_to_the_right(self, name: str, tmp_path: Path) -> None:
        (flow,) = templates.TEMPLATES[name]()["flows"].values()
        for wire in flow["connections"]:
            left, right = flow["nodes"][wire["parent node index"]], flow["nodes"][wire["connected node"]]
            assert left["pos x"] < right["pos x"]


def test_the_default_flow() -> None:
    """Llama-2-7b, SFT, PPO with a reward model, DPO against the SFT model, GRPO with a threshold."""
    full = graph(templates.full(), Path())
    assert [step.node for step in full.order if step.node.is_stage] == [SFT, PPO, DPO, GRPO]
    by_name = full.by_name
    assert by_name["base"].node is LoadModel
    assert by_name["base"].given["path"] == "meta-llama/Llama-2-7b-hf"
    assert by_name["dpo"].wires["reference"].step == "sft"
    assert by_name["dpo"].wires["model"].step == "ppo"
    assert by_name["ppo"].wires["reward"].step == "tldr_score"
    assert "threshold=0.7" in program(templates.full(), Path()).script.text


@pytest.mark.parametrize(
    "name", sorted(set(templates.TEMPLATES) - set(RECIPES))
)  # these train for minutes, at high rates
def test_an_adapter_trains_at_a_rate_for_adapters(name: str) -> None:
    """Ten times the rate for all weights, as the help says."""
    steps = [step for step in graph(templates.TEMPLATES[name](), Path()).steps if step.node.is_stage]
    for step in (step for step in steps if step.node.leaves == "model"):
        parameter = step.node.all_parameters()["learning_rate"]
        factor = 10 if "adapter" in step.wires else 1
        assert step.setting("learning_rate") == pytest.approx(parameter.default * factor)
        assert "LoRA: about ten times that" in parameter.typical
    assert steps


def test_three_methods_start_from_one_model_and_are_measured_against_it() -> None:
    steps = graph(templates.methods(), Path()).by_name
    for method in ("ppo", "dpo", "grpo"):
        assert steps[method].wires["model"].step == "sft"
        measured = steps[f"after_{method}"].wires
        assert (measured["model"].step, measured["baseline"].step) == (method, "sft")
        assert measured["dataset"].step == "held_out"
    assert steps["ppo"].wires["reward"].step == "judge"
    assert len(steps["comparison"].wires) == 3


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples, written again."""
    folder = tmp_path_factory.mktemp("examples")
    command = [sys.executable, str(EXAMPLES / "make.py"), str(folder)]
    subprocess.run(command, check=True, env={"PYTHONPATH": ":".join(sys.path), "PATH": ""})
    return folder


class TestExamples:
    def test_the_flow_is_the_template(self, tmp_path: Path) -> None:
        written = save(templates.full(), tmp_path / "f.json").read_text(encoding="utf-8")
        assert (EXAMPLES / "llama-2-7b.json").read_text(encoding="utf-8") == written

    def test_the_script_is_what_the_flow_exports(self) -> None:
        text = (EXAMPLES / "llama-2-7b.py").read_text(encoding="utf-8")
        compile(text, "llama-2-7b.py", "exec")
        assert neutral(text) == neutral(build(read_flow(EXAMPLES / "llama-2-7b.json")).script_for(EXAMPLES).text)

    def test_they_can_be_written_again(self, written: Path) -> None:
        files = {file for file in written.iterdir() if file.is_file()}
        names = ("llama-2-7b", "three-methods")
        assert {file.name for file in files} == {f"{name}.{kind}" for name in names for kind in ("json", "py")}
        for file in files:
            there = (EXAMPLES / file.name).read_text(encoding="utf-8")
            assert neutral(file.read_text(encoding="utf-8")) == neutral(there)
