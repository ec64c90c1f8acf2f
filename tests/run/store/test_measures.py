"""Measures of models in the store outlast a process; all others do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.catalogue import SFT, Evaluate, LoadDataset
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.store.measures import HELD, MEASURER, MEASURES, KeptMeasures
from ryven_llm_nodes.runtime import evaluation

FOUND = {"loss": {"value": 0.1 + 0.2, "per_row": [1e-17, 3.0]}, "completions": ["ä\udc80", ""]}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder with an entry of the store, called ``sft``."""
    (tmp_path / "out/store/abc").mkdir(parents=True)
    (tmp_path / "out/sft").symlink_to("store/abc")
    return tmp_path / "out"


def test_the_names_are_those_of_the_runtime() -> None:
    assert isinstance(getattr(evaluation, HELD), dict)
    assert isinstance(getattr(evaluation, MEASURER), type)


def test_they_are_found_again_to_the_digit_whatever_the_name(out: Path) -> None:
    KeptMeasures(out)[str(out / "sft"), "[]", 8, "of_rows", "rows"] = FOUND
    (out / "renamed").symlink_to("store/abc")
    later = KeptMeasures(out)
    key = (str(out / "renamed"), "[]", 8, "of_rows", "rows")
    assert key in later
    assert later[key] == FOUND
    others = [(*key[:2], 4, *key[3:]), (*key[:4], "other rows"), (str(out / "store/xyz"), *key[1:])]
    assert [other for other in others if other in later] == []


def test_other_folders_may_change_and_are_not_kept(out: Path, tmp_path: Path) -> None:
    KeptMeasures(out)[str(tmp_path), "[]", 8, "of_rows", "rows"] = FOUND
    KeptMeasures(out)["HuggingFaceTB/SmolLM2-135M", "[]", 8, "of_rows", "rows"] = FOUND
    assert not (out / MEASURES).exists()


def test_a_damaged_file_is_measured_again(out: Path) -> None:
    key = (str(out / "sft"), "[]", 8, "of_rows", "rows")
    KeptMeasures(out)[key] = FOUND
    (file,) = (out / MEASURES).iterdir()
    file.write_text(json.dumps(FOUND)[:-5])
    assert key not in KeptMeasures(out)


def test_a_second_evaluation_of_a_model_loads_nothing(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    loaded: list[Any] = []
    load = AutoModelForCausalLM.from_pretrained
    monkeypatch.setattr(
        AutoModelForCausalLM, "from_pretrained", lambda place, **options: loaded.append(place) or load(place, **options)
    )

    def report(check: str) -> str:
        nodes = {"base": flows.BASE, "rows": flows.node(LoadDataset, path="sft.jsonl")}
        nodes |= {"sft": flows.node(SFT, **flows.FAST), check: flows.node(Evaluate)}
        wires = f"base -> sft, rows -> sft, sft -> {check}, rows -> {check}"
        loaded.clear()
        assert run_program(flows.program(flows.draw(wires, **nodes), workspace), tmp_path).error is None
        return (tmp_path / check / "report.json").read_text(encoding="utf-8")

    first = report("first")
    assert loaded
    assert report("second") == first
    assert not loaded
