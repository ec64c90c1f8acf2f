"""Stop and keep: a stage ends where it is, and the next one goes on from there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node
from rotation import turn

from ryven_llm_nodes.catalogue import DPO, SFT
from ryven_llm_nodes.run import CancelToken, Event, run_program
from ryven_llm_nodes.run.events import Log, Progress, StageReused
from ryven_llm_nodes.run.records.history import past_runs

SAVED: dict[str, Any] = {"max_steps": 6, "save_strategy": "steps", "save_steps": 2}


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def kept_at(step: int, program: Any, output_dir: Path, stage: str, **options: Any) -> tuple[Any, list[Event]]:
    """Runs; ``stage`` is told to end once it has done ``step`` steps."""
    token, events = CancelToken(), []

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, Progress) and (event.step, event.done) == (stage, step):
            token.keep()

    return run_program(program, output_dir, listen, token, **options), events


def trained(events: list[Event]) -> list[str]:
    return list(dict.fromkeys(event.step for event in events if isinstance(event, Progress)))


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("method", turn(flows.METHODS, 2))
def test_the_model_is_that_of_a_training_so_long(method: str, lora: bool, workspace: Path, tmp_path: Path) -> None:
    constant = {"lr_scheduler_type": "constant", "max_steps": 6}
    outcome, events = kept_at(
        3, flows.program(flows.alone(method, lora, **constant), workspace), tmp_path / "kept", method
    )
    assert outcome.status == "done"
    run_program(flows.program(flows.alone(method, lora, **constant | {"max_steps": 3}), workspace), tmp_path / "short")
    assert weights(tmp_path / "kept" / method) == weights(tmp_path / "short" / method)
    assert weights(tmp_path / "kept/final-model") == weights(tmp_path / "kept" / method), "the next node has it"
    said = [event.text for event in events if isinstance(event, Log) and "kept" in event.text]
    assert said == [f"{method}: ended at step 3 of 6, model kept; the exported script trains all 6"]
    assert past_runs(tmp_path / "kept")[0].state(method) == "done (3 of 6)"


def test_it_is_kept_for_the_next_run_too(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(flows.alone("sft", **SAVED), workspace)
    kept_at(3, program, tmp_path, "sft")
    before = weights(tmp_path / "sft")
    events: list[Event] = []
    run_program(program, tmp_path, events.append)
    reused, _ = (event for event in events if isinstance(event, StageReused))
    assert "when it was ended early at step 3 of 6; --fresh, or Retrain All, trains it in full" in reused.reason
    assert weights(tmp_path / "sft") == before


def pair() -> flows.Project:
    """SFT, and DPO on its model."""
    wires = "base -> sft, rows -> sft, sft -> dpo, pairs -> dpo"
    data = {"rows": flows.ROWS["sft"], "pairs": flows.ROWS["dpo"]}
    return flows.draw(wires, base=flows.BASE, **data, sft=node(SFT, **flows.FAST), dpo=node(DPO, **flows.FAST))


def test_what_was_made_from_it_is_not_taken_for_the_whole(workspace: Path, tmp_path: Path) -> None:
    """Trained in full later, the stage has another model, so what depends on it is trained again as well."""
    program = flows.program(pair(), workspace)
    kept_at(1, program, tmp_path / "out", "sft")
    _, again = kept_at(0, program, tmp_path / "out", "none")
    assert trained(again) == []

    only_sft = flows.program(pair(), workspace)
    part = type(only_sft)(only_sft.graph.upstream(["sft"]), only_sft.cells)
    run_program(part, tmp_path / "out", fresh=True)
    _, events = kept_at(0, program, tmp_path / "out", "none")
    assert trained(events) == ["dpo"]

    run_program(program, tmp_path / "whole")
    assert weights(tmp_path / "out/dpo") == weights(tmp_path / "whole/dpo")


def test_what_was_asked_of_one_stage_is_not_meant_for_the_next(workspace: Path, tmp_path: Path) -> None:
    """Asked at the very last step, when nothing is left to end."""
    _, events = kept_at(2, flows.program(flows.chain(), workspace), tmp_path, "sft")
    last = {event.step: event.done for event in events if isinstance(event, Progress)}
    assert last == dict.fromkeys(flows.METHODS, 2)
