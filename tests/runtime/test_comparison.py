"""The table of several evaluations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ryven_llm_nodes.runtime.comparison import compare
from ryven_llm_nodes.runtime.evaluation import measure

ROWS = 60


def report(folder: Path, shift: float, baseline: float | None = 0.0) -> str:
    """An evaluation of a model whose accuracy differs from row to row by ``shift``."""
    folder.mkdir()
    values = [0.5 + 0.4 * (i % 2) + shift for i in range(ROWS)]
    found: dict[str, Any] = {"rows": ROWS, "model": {"reward/a": measure(values), "completions": ["x"]}}
    if baseline is not None:
        found["baseline"] = {"reward/a": measure([0.5 + 0.4 * (i % 2) + baseline for i in range(ROWS)])}
    (folder / "report.json").write_text(json.dumps(found))
    return str(folder)


def test_models_stand_next_to_their_common_baseline(tmp_path: Path) -> None:
    found = compare(better=report(tmp_path / "a", 0.2), same=report(tmp_path / "b", 0.0))
    assert list(found["models"]) == ["baseline", "better", "same"]
    better, same = (found["differences"][name]["reward/a"] for name in ("better", "same"))
    assert better["value"] == pytest.approx(0.2)
    assert (better["significant"], same["significant"]) == (True, False)
    assert better["corrected_p_value"] == pytest.approx(2 * better["p_value"])


def test_without_a_baseline_the_first_is_compared_with(tmp_path: Path) -> None:
    found = compare(one=report(tmp_path / "a", 0.0, None), two=report(tmp_path / "b", -0.1, None))
    assert found["compared_with"] == "one"
    assert found["differences"]["two"]["reward/a"]["value"] == pytest.approx(-0.1)


def test_other_baselines_have_columns_of_their_own(tmp_path: Path) -> None:
    found = compare(one=report(tmp_path / "a", 0.2), two=report(tmp_path / "b", 0.2, baseline=0.1))
    assert list(found["models"]) == ["baseline", "baseline of two", "one", "two"]


def test_the_table_as_text(tmp_path: Path) -> None:
    lines = compare(better=report(tmp_path / "a", 0.2))["markdown"].splitlines()
    assert lines[0] == "| | baseline | better |"
    assert lines[2].startswith("| reward/a | 0.7 [0.6")
    assert lines[2].endswith("(+0.2) * |")
    assert "Holm" in lines[-1]
    assert "completions" not in "\n".join(lines)


def test_values_of_rows_are_left_out_of_the_table(tmp_path: Path) -> None:
    found = compare(better=report(tmp_path / "a", 0.2))
    assert set(found["models"]["better"]["reward/a"]) == {"value", "low", "high"}
