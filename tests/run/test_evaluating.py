"""Evaluate and Compare as stages: reused, made anew when a model changes, and the same from the script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import DPO, SFT, Compare, Evaluate, LoadDataset, RewardFunction
from ryven_llm_nodes.run import Event, run_program
from ryven_llm_nodes.run.events import StageReused, StageStarted

WIRES = (
    "base -> sft, rows -> sft, sft -> dpo, pairs -> dpo, "
    "sft -> of_sft, rows -> of_sft, base -> of_sft.baseline, variety -> of_sft, "
    "dpo -> of_dpo, rows -> of_dpo, base -> of_dpo.baseline, variety -> of_dpo, of_sft -> table, of_dpo -> table"
)


def drawn(**of_dpo: Any) -> flows.Project:
    """A model, two methods, an evaluation of each next to the base model, and the table."""
    short = {"max_completion_length": 8}
    return flows.draw(
        WIRES,
        base=flows.BASE,
        rows=node(LoadDataset, path="sft.jsonl"),
        pairs=node(LoadDataset, path="pairs.jsonl"),
        variety=node(RewardFunction, code=flows.REWARD),
        sft=node(SFT, **flows.FAST),
        dpo=node(DPO, **{**flows.FAST, **of_dpo}),
        of_sft=node(Evaluate, **short),
        of_dpo=node(Evaluate, **short),
        table=node(Compare),
    )


def happened(program: Any, out: Path) -> dict[str, list[str]]:
    events: list[Event] = []
    assert run_program(program, out, events.append).error is None
    kinds = {"begun": StageStarted, "reused": StageReused}
    stages = ("sft", "dpo", "of_sft", "of_dpo", "table")
    return {name: [e.step for e in events if isinstance(e, kind) and e.step in stages] for name, kind in kinds.items()}


def test_only_what_depends_on_a_change_is_measured_again(workspace: Path, tmp_path: Path) -> None:
    program, stages = flows.program(drawn(), workspace), ["sft", "dpo", "of_sft", "of_dpo", "table"]
    assert sorted(happened(program, tmp_path)["begun"]) == sorted(stages)
    assert sorted(happened(program, tmp_path)["reused"]) == sorted(stages)
    again = happened(flows.program(drawn(beta=0.3), workspace), tmp_path)
    assert sorted(again["begun"]) == ["dpo", "of_dpo", "table"]
    assert sorted(again["reused"]) == ["of_sft", "sft"]


@pytest.mark.slow
def test_the_script_reports_the_same(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(drawn(), workspace)
    assert run_program(program, tmp_path / "run").error is None
    script = tmp_path / "script.py"
    script.write_text(program.script_for(tmp_path).text, encoding="utf-8")
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), "--output-dir", str(tmp_path / "script")]
    subprocess.run(command, env=surroundings, cwd=tmp_path, check=True, capture_output=True)
    for stage in ("of_sft", "of_dpo", "table"):
        of_run, of_script = ((tmp_path / out / stage / "report.json").read_text() for out in ("run", "script"))
        assert of_run == of_script
    assert (tmp_path / "run" / "table" / "report.md").read_text().startswith("| | baseline | of_sft | of_dpo |")
    table = json.loads((tmp_path / "run" / "table" / "report.json").read_text())
    assert table["differences"]["of_sft"]["loss"]["value"] < 0, "SFT lowers the loss on what it was trained on"


def test_rows_that_nothing_can_be_measured_on_are_refused(workspace: Path) -> None:
    flow = flows.draw(
        "base -> check, rows -> check",
        base=flows.BASE,
        rows=node(LoadDataset, path="prompts.jsonl"),
        check=node(Evaluate),
    )
    (problem,) = flows.problems(flow, workspace)
    assert "Evaluate 'check' > dataset: nothing can be measured" in problem
    assert problem.endswith("or a reward; the dataset has 'prompt'.")


def test_an_evaluation_is_compared_once(workspace: Path) -> None:
    flow = flows.draw(
        "base -> one, rows -> one, one -> table.report_1, one -> table.report_2",
        base=flows.BASE,
        rows=node(LoadDataset, path="sft.jsonl"),
        one=node(Evaluate),
        table=node(Compare),
    )
    assert "'one' is connected twice" in flows.problems(flow, workspace)[0]
