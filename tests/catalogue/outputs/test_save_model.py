"""Save Model and Export Script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flows
import pytest
from flows import BASE, alone, draw, node, problems, program

from ryven_llm_nodes.catalogue import ExportScript, LoadModel, SaveModel
from ryven_llm_nodes.catalogue.findings import Seen
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.run import Event, Outcome
from ryven_llm_nodes.run.examine.here import here_problems
from ryven_llm_nodes.run.trust.foreign import foreign_code


def saved(root: Path, **params: Any) -> str:
    """The statement of a Save Model node."""
    return program(draw("base -> final", base=BASE, final=node(SaveModel, **params)), root).cells["final"].statement


def test_below_the_output_folder(data: Path) -> None:
    assert saved(data) == 'final = pipeline.copy("final", base, "final-model")'


def test_elsewhere(data: Path) -> None:
    assert saved(data, folder="/m", dtype="bfloat16") == (
        'final = pipeline.copy("final", base, "/m", dtype="bfloat16")'
    )


def test_the_revision_of_a_hub_model_comes_along(data: Path) -> None:
    base = node(LoadModel, path="a/b", revision="v1", trust_remote_code=True)
    drawn = draw("base -> final", base=base, final=node(SaveModel))
    statement = program(drawn, data).cells["final"].statement
    assert statement.endswith('base, "final-model", revision="v1", trust_remote_code=True)')


@pytest.mark.parametrize("folder", ["", 3, None])
def test_a_folder_is_needed(folder: Any, data: Path) -> None:
    (wrong,) = problems(draw("base -> final", base=BASE, final=node(SaveModel, folder=folder)), data)
    assert wrong.startswith("Save Model 'final' > folder: ")


def test_two_models_are_not_saved_over_each_other(data: Path) -> None:
    drawn = draw("base -> a, base -> b", base=BASE, a=node(SaveModel), b=node(SaveModel, folder="./final-model/"))
    assert problems(drawn, data) == [
        "Save Model 'b' > folder: Save Model 'a' writes to './final-model/' too; choose another folder."
    ]


def test_nor_over_a_stage(data: Path) -> None:
    drawn = alone("sft")
    drawn["flows"]["sft"]["nodes"][-1]["additional data"]["params"]["folder"] = "sft"
    assert problems(drawn, data) == [
        "Save Model 'final' > folder: SFT 'sft' writes to 'sft' too; choose another folder."
    ]


@pytest.mark.parametrize("place", ["a\0b", "\ud800", "~nobody-here/x", "x" * 300])
def test_a_place_that_cannot_be_is_found_before_anything_is_trained(place: str, data: Path) -> None:
    nodes = {"base": BASE, "final": node(SaveModel, folder=place), "script": node(ExportScript, path=place)}
    found = problems(draw("base -> final, base -> script", **nodes), data)
    assert [line.split(" cannot be written to, got ")[0] for line in found] == [
        "Save Model 'final' > folder:",
        "Export Script 'script' > path:",
    ]


def test_export_script_is_no_part_of_the_script(data: Path) -> None:
    made = program(draw("base -> script", base=BASE, script=node(ExportScript)), data)
    assert "script" not in made.script.statements
    assert "pipeline.py" not in made.script.text


def test_a_place_to_push_to_is_needed_and_used_only_where_it_is_asked_for(data: Path) -> None:
    def wrong(**params: Any) -> list[str]:
        return problems(draw("base -> final", base=BASE, final=node(SaveModel, **params)), data)

    (line,) = wrong(push_to_hub=True)
    assert line.startswith(
        "Save Model 'final' > hub_model_id: must be a repository of the Hub, such as owner/name, got ''"
    )
    assert wrong(push_to_hub=True, hub_model_id="https://x/y") != []
    assert wrong(hub_model_id="a/b") == [
        "Save Model 'final' > hub_model_id: is where push_to_hub uploads to; set that, or clear this."
    ]
    assert wrong(push_to_hub=True, hub_model_id="a/b") == []


def test_pushing_sends_data_away_and_is_asked_for(data: Path) -> None:
    final = node(SaveModel, push_to_hub=True, hub_model_id="a/b", hub_private_repo=False)
    (found,) = foreign_code(flows.graph(draw("base -> final", base=BASE, final=final), data))
    assert (found.parameter, found.what) == ("push_to_hub", "sends the model to the Hugging Face Hub")
    assert found.content == "true\nhub_model_id: a/b\nhub_private_repo: false"
    (offline,) = here_problems(flows.program(draw("base -> final", base=BASE, final=final), data))
    assert "uploads to the Hub, but HF_HUB_OFFLINE is set" in str(offline)


@pytest.fixture
def written(workspace: Path, run: Callable[..., tuple[Outcome, list[Event]]]) -> Outcome:
    """A run that saves a model with a GGUF file beside it."""
    outcome, _ = run(draw("base -> final", base=BASE, final=node(SaveModel, gguf="f32")))
    return outcome


def test_a_gguf_file_lies_beside_the_model(written: Outcome) -> None:
    assert written.status == "done"
    assert sorted(path.suffix for path in written.models["final"].glob("model*")) == [".gguf", ".safetensors"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"model_type": "gpt2"}, "is for models of type llama, mistral, qwen2, qwen3; this is 'gpt2'. Clear it."),
        ({"rope_parameters": {"rope_type": "yarn"}}, "cannot hold a rotary embedding scaled by 'yarn'. Clear it."),
        ({}, ""),
    ],
)
def test_what_llama_cpp_has_no_form_for_is_found_before_training(changes: dict[str, Any], line: str) -> None:
    config = SimpleNamespace(**{"model_type": "llama", "rope_parameters": {"rope_type": "default"}} | changes)
    context = NodeContext(SaveModel, "final", {"gguf": "q8_0"}, {}, Path())
    assert [finding.message for finding in SaveModel.read(context, Seen(config=config))] == ([line] if line else [])
