"""What runs are sorted by: any setting that differs, and any final metric."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest
import records

from ryven_llm_nodes.catalogue import SFT
from ryven_llm_nodes.run.records.facts import differing, facts_of, final_metrics, in_a_cell, last_lines


def test_settings_that_differ_and_final_metrics(data: Path, tmp_path: Path) -> None:
    usual = facts_of(records.record(data, tmp_path, flows.alone("sft")))
    slow = facts_of(records.record(data, tmp_path, flows.alone("sft", learning_rate=1e-6), sft=2.0))
    other = facts_of(records.record(data, tmp_path, flows.alone("dpo")))
    assert "sft.learning_rate" in differing([usual, slow, other])
    assert differing([usual, usual]) == []
    assert slow.value("sft.learning_rate") == 1e-6
    assert other.value("sft.learning_rate") is None, "a run without the node has no value"
    assert slow.value("sft.loss") == pytest.approx(0.1353, abs=1e-4)
    assert {"sft.loss", "dpo.loss", "sft.grad_norm"} <= set(final_metrics([usual, slow, other]))


def test_a_setting_that_only_one_run_gives_is_the_default_in_the_other(data: Path, tmp_path: Path) -> None:
    plain, set_ = (facts_of(records.record(data, tmp_path, flows.alone("sft", **given))) for given in ({}, {"seed": 7}))
    assert differing([plain, set_]) == ["sft.seed"]
    assert plain.value("sft.seed") == SFT.all_parameters()["seed"].default


def test_the_last_value_counts_though_later_lines_have_none(data: Path, tmp_path: Path) -> None:
    run = records.record(data, tmp_path, flows.alone("sft"))
    file = run.folder / "metrics" / "sft.jsonl"
    file.write_text('{"step": 1, "loss": 3, "eval_loss": 2.5}\n{"step": 2, "loss": 1.5}\n{"step": 3, "lo')
    assert facts_of(run).metrics == {"sft.loss": 1.5, "sft.eval_loss": 2.5}
    assert last_lines(file, 30) == [b'{"step": 3, "lo'], "the first line is not complete"


def test_a_flow_that_cannot_be_read_hides_no_metrics(data: Path, tmp_path: Path) -> None:
    run = records.record(data, tmp_path, flows.alone("sft"))
    (run.folder / "flow.json").write_text("{")
    assert facts_of(run).steps == {}
    assert "sft.loss" in facts_of(run).metrics


def test_values_are_short_in_a_cell() -> None:
    assert [in_a_cell(value) for value in (None, 1 / 3, 3, "cosine", True)] == ["", "0.3333", "3", "cosine", "True"]
    assert len(in_a_cell("a\n" * 100)) < 60
