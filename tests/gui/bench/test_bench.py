"""The bench dock: what a user sees of what a reward gives to completions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import CombineRewards, LengthReward, RewardFunction
from ryven_llm_nodes.gui.bench.panel import NOTHING, WORKING, BenchPanel
from ryven_llm_nodes.gui.style.colours import BAD
from ryven_llm_nodes.gui.window.looking import UNKNOWN_CODE

WAIT = 60_000
FAILING = "def share(completions, **kwargs):\n    return [1 / len(text.split()) for text in completions]\n"
pytestmark = pytest.mark.gui


def drawn() -> flows.Project:
    nodes = {"base": flows.BASE, "rows": flows.ROWS["ppo"], "share": node(RewardFunction, code=FAILING)}
    nodes |= {"length": node(LengthReward, at_least=3), "both": node(CombineRewards), "ppo": flows.TRAINERS["ppo"]}
    return flows.draw("share -> both, length -> both, base -> ppo, rows -> ppo, both -> ppo", **nodes)


@pytest.fixture
def opened(open_editor: Callable[..., Any], work: Path) -> Any:
    path = work / "flow.json"
    editor = open_editor(json.loads(flows.save(drawn(), path).read_text()), path)
    editor.window.resize(1500, 860)
    editor.window.show()
    editor.shell.docks.bench.raise_()
    editor.settle()
    return editor


def panel_of(editor: Any) -> BenchPanel:
    editor.shell.docks.show_model()  # the panels are made once the window was painted
    return editor.shell.docks.bench.widget().currentWidget()


def choose(editor: Any, name: str) -> BenchPanel:
    panel = panel_of(editor)
    editor.select(editor.node(name))
    editor.qtbot.waitUntil(lambda: name in panel.title.text(), timeout=WAIT)
    return panel


def scored(editor: Any) -> BenchPanel:
    panel = panel_of(editor)
    editor.qtbot.waitUntil(lambda: panel.sample.isEnabled() and panel.results.sentence.text() == WORKING, timeout=WAIT)
    return panel


def test_pasted_and_sampled_completions_get_scores_failures_and_facts(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(opened.shell.runs), "untrusted", lambda *_: [])
    panel = panel_of(opened)
    assert panel.results.sentence.text() == NOTHING
    assert not panel.sample.isEnabled()
    choose(opened, "both")
    panel.paste.setPlainText('{"completion": "one two three"}\n{"completion": ""}\n{"completion": "four"}')
    panel.score.click()
    assert not panel.score.isEnabled()
    scored(opened)
    table = panel.results.table
    titles = [table.horizontalHeaderItem(i).text() for i in range(table.columnCount())]
    assert titles == ["row", "prompt", "completion", "share", "length", "total"]
    rows = [[table.item(row, column).text() for column in range(2, 5)] for row in range(3)]
    assert [row[:2] for row in rows] == [["one two three", "0.333"], ["", "failed"], ["four", "1"]]
    assert table.item(1, 3).foreground().color().name() == BAD
    assert "row 2: line 2: ZeroDivisionError" in panel.results.facts.toPlainText()
    assert panel.results.facts.toPlainText().startswith("3 completions from the pasted text")
    assert "spread within a group" in panel.results.facts.toPlainText()
    assert "one two three" in panel.results.detail.toPlainText()

    choose(opened, "length")
    for name, value in {"prompts": "2", "samples": "3", "tokens": "4"}.items():
        panel.fields[name].setText(value)
    panel.sample.click()
    scored(opened)
    prompts = [panel.results.table.item(row, 1).text() for row in range(6)]
    assert len(set(prompts[:3])) == len(set(prompts[3:])) == 1
    assert len(set(prompts)) == 2
    assert "6 completions from Load Model 'base', 3 samples per prompt" in panel.results.facts.toPlainText()


def test_code_that_is_not_allowed_is_not_run(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(opened.shell.runs), "untrusted", lambda *_: ["code"])
    panel = choose(opened, "share")
    panel.sample.click()
    assert panel.results.sentence.text() == UNKNOWN_CODE
    panel.show_node(opened.node("ppo"))
    assert "share" in panel.title.text(), "a node that gives no reward leaves it as it is"
