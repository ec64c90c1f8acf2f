"""Evaluations found on the disk, and the table that is made of them outside of a flow."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.comparing.comparison import COLUMNS, comparison_of, outcome, verdict
from ryven_llm_nodes.run.comparing.found import evaluations_at, evaluations_of
from ryven_llm_nodes.run.records.history import past_runs


def names(*places: Path) -> list[str]:
    return list(evaluations_at(places))


def test_the_table_is_that_of_the_node(outputs: Path) -> None:
    found = comparison_of(evaluations_at([outputs / "of_low", outputs / "of_high"]))
    assert found.table == json.loads((outputs / "table" / "report.json").read_text())


def test_evaluations_are_found_by_what_was_made_of_them_and_led_to_them(outputs: Path) -> None:
    assert names(outputs / "table") == ["of_low", "of_high"]
    assert names(outputs / "low") == ["of_low"]
    assert sorted(names(outputs)) == sorted(names(*(outputs / "run-records").iterdir())) == ["of_high", "of_low"]
    assert names(outputs / "of_low", outputs / "table") == ["of_low", "of_high"], "each once"
    assert names(Path(os.path.realpath(outputs / "of_low"))) == ["of_low"]


def test_evaluations_of_runs_are_called_after_them(outputs: Path) -> None:
    (run,) = past_runs(outputs)
    found = evaluations_of([run, run])
    assert sorted(found) == [f"{run.folder.name} / of_high", f"{run.folder.name} / of_low"]
    assert set(found.values()) == set(evaluations_at([outputs]).values())


@pytest.mark.parametrize("place", ["sft", "run-records", "nowhere"])
def test_where_there_is_none_the_user_is_told_what_to_give(outputs: Path, place: str) -> None:
    with pytest.raises(UsageError, match="give the folder of an evaluation, of a comparison"):
        evaluations_at([outputs / place])


def test_evaluations_of_one_name_are_called_after_their_folders(tmp_path: Path) -> None:
    places = [tmp_path / "one" / "check", tmp_path / "two" / "check", tmp_path / "two" / "baseline"]
    for place in places:
        place.mkdir(parents=True)
        (place / "report.json").write_text('{"model": {}}')
    assert names(*places) == ["one/check", "two/check", "two/baseline"]


def test_a_line_for_each_measure_of_each_model(outputs: Path) -> None:
    found = comparison_of(evaluations_at([outputs / "table"]))
    lines = [dict(zip(COLUMNS, row, strict=True)) for row in found.rows()]
    assert [(line["model"], line["measure"]) for line in lines][:4] == [
        ("baseline", "loss"),
        ("baseline", "perplexity"),
        ("baseline", "reward/variety"),
        ("baseline", "win_rate/variety"),
    ]
    (loss,) = (line for line in lines if (line["model"], line["measure"]) == ("of_high", "loss"))
    before, after = (found.values(model)["loss"]["value"] for model in ("baseline", "of_high"))
    assert loss["difference"] == pytest.approx(after - before)
    assert loss["difference_low"] < loss["difference"] < loss["difference_high"]


def test_better_is_lower_for_a_loss_and_only_by_more_than_chance() -> None:
    assert outcome({"significant": True, "value": -1.0, "better": "lower"}) == "better"
    assert outcome({"significant": True, "value": -1.0, "better": "higher"}) == "worse"
    assert outcome({"significant": False, "value": -1.0, "better": "lower"}) == "same"


def test_models_of_other_rows_are_not_compared(outputs: Path, tmp_path: Path) -> None:
    report = json.loads((outputs / "of_high" / "report.json").read_text()) | {"rows_sha256": "other"}
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "report.json").write_text(json.dumps(report))
    found = comparison_of(evaluations_at([outputs / "of_low", tmp_path / "elsewhere"]))
    assert found.table["other_rows"] == ["elsewhere"]
    assert not any(verdict(found, "elsewhere").values())
    assert "Measured on other rows than baseline, and not compared with it: elsewhere." in found.table["markdown"]
