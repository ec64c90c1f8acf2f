"""Blind votes: the script in the page, run by Qt's JavaScript engine, and files of votes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ryven_llm_nodes.cli import app
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.comparing.votes import SCRIPT, Tally, read_votes, voting

ANSWERS = [{"model": "a", "text": "one", "score": ""}, {"model": "b", "text": "</script>", "score": ""}]
PROMPTS = [{"text": "what?", "answers": ANSWERS}]


@pytest.fixture(scope="module")
def run_script() -> Callable[[str], Any]:
    """Evaluates an expression after the script, which touches the page in one function only."""
    qml = pytest.importorskip("PySide6.QtQml")
    core = pytest.importorskip("PySide6.QtCore")
    keep = core.QCoreApplication.instance() or core.QCoreApplication([])
    engine = qml.QJSEngine()

    def run(expression: str) -> Any:
        assert keep is not None
        found = engine.evaluate(f"{SCRIPT.read_text()}\nJSON.stringify({expression})")
        assert not found.isError(), found.toString()
        return json.loads(found.toString())

    return run


def test_the_order_is_the_same_each_time_and_differs_between_prompts(run_script: Callable[[str], Any]) -> None:
    orders = run_script("Array.from({length: 40}, (_, prompt) => orderOf(prompt, 3, 77))")
    assert all(sorted(order) == [0, 1, 2] for order in orders)
    assert len({tuple(order) for order in orders}) == 6
    assert orders == run_script("Array.from({length: 40}, (_, prompt) => orderOf(prompt, 3, 77))")
    first = [order[0] for order in run_script("Array.from({length: 300}, (_, prompt) => orderOf(prompt, 2, 5))")]
    assert 110 < sum(first) < 190  # neither model is always on the left


def test_votes_are_counted(run_script: Callable[[str], Any]) -> None:
    tally = run_script('tallyOf({0: "a", 1: "b", 2: "a", 5: "tie"}, ["a", "b", "c"])')
    assert tally == {"counts": {"a": 2, "b": 1, "c": 0}, "ties": 1, "votes": 4}


def test_a_page_has_the_script_where_there_is_a_choice() -> None:
    script = voting(PROMPTS)
    assert '"models": ["a", "b"]' in script
    assert "</script>" not in script
    assert voting(PROMPTS) == script
    assert voting([{"text": "another", "answers": ANSWERS}]) != script
    assert voting([{"text": "what?", "answers": ANSWERS[:1]}]) == ""
    assert voting([]) == ""


def test_a_file_of_votes(tmp_path: Path) -> None:
    file = tmp_path / "votes.json"
    choices = ["a"] * 8 + ["b"] * 2 + ["tie"]
    file.write_text(
        json.dumps({"models": ["a", "b"], "votes": [{"prompt": i, "choice": c} for i, c in enumerate(choices)]})
    )
    tally = read_votes(file)
    assert tally == Tally({"a": 8, "b": 2}, 1)
    share, low, high = tally.share("a")
    assert (share, round(low, 3), round(high, 3)) == (0.8, 0.490, 0.943)  # Wilson, of 8 in 10


@pytest.mark.parametrize("text", ["", "{}", '{"models": ["a"], "votes": [{"choice": "z"}]}'])
def test_what_holds_no_votes(text: str, tmp_path: Path) -> None:
    (tmp_path / "votes.json").write_text(text)
    with pytest.raises(UsageError, match=r"votes\.json holds"):
        read_votes(tmp_path / "votes.json")


def test_compare_counts_them(outputs: Path, tmp_path: Path) -> None:
    file = tmp_path / "votes.json"
    file.write_text(json.dumps({"models": ["of_low", "of_high"], "votes": [{"prompt": 0, "choice": "of_high"}]}))
    said = CliRunner().invoke(app, ["compare", str(outputs), "--votes", str(file)])
    assert said.exit_code == 0, said.output
    assert "1 blind votes, 0 of them ties" in said.output
    page = (outputs / "table" / "report.html").read_text(encoding="utf-8")
    assert "startVoting(" in page
    assert 'data-model="of_low"' in page
