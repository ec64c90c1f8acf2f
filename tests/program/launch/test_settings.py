"""Launch settings: stored in the flow, changed on the command line, checked with it, and seen in the script."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.errors import FlowError, UsageError
from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.program.launch.settings import KEY, Launch, changed
from ryven_llm_nodes.program.mending import mended
from ryven_llm_nodes.program.project import project_of
from ryven_llm_nodes.run.store.keys import keys_of

FSDP = {"processes": 2, "strategy": "fsdp2"}


def drawn(launch: Any, method: str = "sft", lora: bool = False) -> flows.Project:
    """A flow of one trainer, with launch settings."""
    made = flows.alone(method, lora)
    made["flows"][method][KEY] = launch
    return made


def test_a_flow_keeps_them_next_to_its_nodes(data: Path, tmp_path: Path) -> None:
    file = data / "launched.json"
    file.write_text(json.dumps(drawn({**FSDP, "stages": {"sft": {"processes": 4}}})))
    graph = read_flow(file)
    assert graph.launch.strategy == "fsdp2"
    assert (graph.launch.total, graph.launch.of("sft").total) == (2, 4)
    again = project_of(graph, tmp_path)
    assert again["flows"]["sft"][KEY] == {**FSDP, "stages": {"sft": {"processes": 4}}}
    assert mended(json.loads(file.read_text()))["flows"]["sft"][KEY] == again["flows"]["sft"][KEY]
    assert KEY not in project_of(flows.graph(flows.alone("sft"), data), tmp_path)["flows"]["sft"]


def test_the_command_line_changes_them() -> None:
    launch = changed(Launch(), ["strategy=fsdp2,processes=8", "machines=2", "grpo.strategy=ddp"])
    assert (launch.total, launch.strategy, launch.is_sharded) == (16, "fsdp2", True)
    assert (launch.of("grpo").strategy, launch.of("grpo").is_sharded) == ("ddp", False)
    assert Launch().on(2).strategy == "ddp", "several processes share a batch"
    with pytest.raises(UsageError, match=r"Did you mean 'strategy'\? There are processes"):
        changed(Launch(), ["strategi=ddp"])
    with pytest.raises(UsageError, match="write NAME=VALUE"):
        changed(Launch(), ["fsdp2"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"processes": 0}, "launch > processes: must be at least 1, got 0."),
        (
            {"strategy": "fsdp"},
            "launch > strategy: must be one of 'one', 'ddp', 'fsdp2', 'zero2', 'zero3', got 'fsdp'.",
        ),
        ({"gpus": 8}, "launch > gpus: is no launch setting."),
        ({"processes": 2, "strategy": "one"}, "'one' is a single process, but there are 2"),
        ({"cpu_offload": True}, "launch > cpu_offload: needs the strategy fsdp2, zero2 or zero3, got 'one'."),
        ({"stages": {"stf": {}}}, "launch > stages.stf: there is no such stage. Did you mean 'sft'?"),
        ({"stages": {"sft": {"machines": "two"}}}, "launch > stages.sft.machines: must be a whole number"),
    ],
)
def test_what_is_wrong_with_them_is_found_with_the_flow(given: Any, said: str, data: Path) -> None:
    with pytest.raises(FlowError) as caught:
        build(flows.graph(drawn(given), data))
    assert said in str(caught.value)


def test_a_part_of_a_flow_has_the_settings_of_its_stages(data: Path) -> None:
    graph = flows.graph(flows.chain(), data)
    launched = replace(graph, launch=Launch({}, {"sft": {"processes": 2}, "grpo": {"processes": 4}}))
    part = launched.upstream(["sft"])
    assert set(part.launch.stages) == {"sft"}
    assert build(part).context(part.by_name["sft"]).processes == 2


def test_what_sharding_needs_is_in_no_other_script(data: Path) -> None:
    plain = flows.program(flows.alone("ppo", lora=True), data).script.text
    shared = flows.program(flows.alone("ppo", lora=True), data, 2).script.text
    split = flows.program(drawn(FSDP, "ppo", lora=True), data).script.text
    for word, scripts in {
        "ShardedPPOTrainer": (split,),
        "save_merged_sharded": (split,),
        "broadcast_object_list": (shared, split),
    }.items():
        assert [text for text in (plain, shared, split) if word in text] == list(scripts), word


def test_precision_and_checkpointing_are_fields_of_stages(data: Path) -> None:
    given = {"precision": "fp16", "activation_checkpointing": "on"}
    graph = flows.graph(drawn(given), data)
    text = build(graph).script.text
    assert "fp16=True" in text
    assert "gradient_checkpointing=False" in text, "what the stage itself says"
    assert build(graph).cells["rows"] == flows.program(flows.alone("sft"), data).cells["rows"]


def test_processes_and_strategy_are_part_of_the_key(data: Path) -> None:
    def key(launch: Any) -> str:
        return keys_of(flows.program(drawn(launch), data))["sft"].digest

    assert len({key({}), key({"processes": 2}), key(FSDP), key({**FSDP, "processes": 4})}) == 4
    assert key({"machines": 1}) == key({})


@pytest.mark.parametrize(("method", "is_one"), [("sft", True), ("grpo", False)])
def test_with_a_global_batch_another_number_of_processes_may_continue(method: str, is_one: bool, data: Path) -> None:
    """Unless completions are drawn, which differ by process; or weights are spread, and so are their checkpoints."""

    def key(**launch: Any) -> str:
        made = flows.launched(flows.alone(method, global_batch_size=8), **launch)
        return keys_of(flows.program(made, data))[method].digest

    assert (key() == key(processes=2)) is is_one
    assert key() != key(**FSDP)
