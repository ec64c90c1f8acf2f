"""The table of a comparison on a terminal and in files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ryven_llm_nodes.cli import app
from ryven_llm_nodes.run.comparing.comparison import COLUMNS
from ryven_llm_nodes.runtime.evaluation import measure

ROWS = 40


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A folder with two evaluations: one is better than the baseline in every row, the other the same."""
    for name, shift in (("better", 0.2), ("same", 0.0)):
        values = [0.5 + 0.4 * (i % 2) for i in range(ROWS)]
        of = {key: {"accuracy": measure([v + by for v in values])} for key, by in (("model", shift), ("baseline", 0.0))}
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps({"rows": ROWS, "prompts": [], **of}))
    return tmp_path


def compared(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)], env={"COLUMNS": "120"})


def test_the_table(reports: Path) -> None:
    said = compared(reports / "better", reports / "same")
    assert said.exit_code == 0
    lines = [line.split() for line in said.output.splitlines()]
    assert lines[0] == ["baseline", "better", "same"]
    assert lines[1] == ["accuracy", "0.7000", "0.9000", "0.7000"]
    assert "+0.2 * better" in said.output
    assert "corrected for the number of differences (Holm)" in " ".join(said.output.split())


def test_files(reports: Path) -> None:
    places = {name: reports / f"table.{name}" for name in ("csv", "html", "markdown")}
    said = compared(reports, *(word for name, file in places.items() for word in (f"--{name}", file)))
    assert said.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(places["csv"].read_text())))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["model"], row["significant"]) for row in rows] == [
        ("baseline", ""),
        ("better", "True"),
        ("same", "False"),
    ]
    assert "▲" in places["html"].read_text()
    assert places["markdown"].read_text().startswith("| | baseline | better | same |")


def test_as_json(reports: Path) -> None:
    told = json.loads(compared(reports, "--json").stdout)
    assert told["differences"]["better"]["accuracy"]["significant"] is True
    assert told["folders"]["same"] == str(reports / "same")


def test_what_holds_no_evaluation_is_refused(tmp_path: Path) -> None:
    said = compared(tmp_path)
    assert said.exit_code == 2
    assert "there is no evaluation in" in " ".join(said.output.split())
