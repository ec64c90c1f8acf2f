"""The rows of the three methods' example, and its flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ryven_llm_nodes.demo import branches
from ryven_llm_nodes.demo.branches import ROWS, branches_flow, build_rows
from ryven_llm_nodes.errors import DemoError
from ryven_llm_nodes.program.build import build
from ryven_llm_nodes.program.project import graph_of_project


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    build_rows(folder / "data")
    return folder


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "data" / f"{name}.jsonl").read_text().splitlines()]


def test_no_item_is_in_two_rows(folder: Path) -> None:
    asked = [row["prompt"][-1]["content"] for name in ROWS for row in rows(folder, name)]
    assert len(asked) == len(set(asked)) == sum(count for _, count in ROWS.values())


def test_held_out_rows_can_be_measured_by_all(folder: Path) -> None:
    assert {"prompt", "chosen", "rejected", "topic"} == set(rows(folder, "held_out")[0])


def test_the_same_seed_gives_the_same_rows(folder: Path, tmp_path: Path) -> None:
    for seed, is_same in ((0, True), (1, False)):
        build_rows(tmp_path / str(seed), seed)
        files = [(place / "held_out.jsonl").read_bytes() for place in (folder / "data", tmp_path / str(seed))]
        assert (files[0] == files[1]) is is_same


def test_the_flow_has_no_problem(folder: Path) -> None:
    program = build(graph_of_project(branches_flow("model of the hub"), folder))
    stages = [step.name for step in program.steps if step.node.is_stage]
    assert set(stages) == {"sft", "judge", "ppo", "dpo", "grpo", "after_ppo", "after_dpo", "after_grpo", "comparison"}
    assert "reward_threshold" not in program.graph.by_name["grpo"].given


def test_too_few_items_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branches, "documented_items", list)
    with pytest.raises(DemoError, match="520 documented names of the standard library are needed, found 0"):
        build_rows(tmp_path)
