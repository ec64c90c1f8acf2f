"""Testing a reward in its window: scores, failures with row and line, what it prints; and how a test is stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import GRPO, PPO, CombineRewards, Evaluate, RewardFunction
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.gui.coding import trial as trial_module
from ryven_llm_nodes.gui.coding.trial import CALLING, SAMPLING, STOPPED, Trial
from ryven_llm_nodes.gui.coding.window import CodeFieldWindow
from ryven_llm_nodes.gui.state.edits import bypass, rename, set_value
from ryven_llm_nodes.gui.style.colours import BAD
from ryven_llm_nodes.gui.window.looking import BYPASSED, NO_TRAINER, UNKNOWN_CODE

WAIT = 120_000
CODE = '''def score(prompts, completions, **kwargs):
    """Fails for one of the prompts."""
    print("asked", len(prompts))
    return [len(c) / ("1" not in p) for p, c in zip(prompts, completions)]
'''
HANGING = """def score(completions, **kwargs):
    open({began!r}, "w").close()
    while True:
        pass
"""


def drawn() -> flows.Project:
    nodes = {"base": flows.BASE, "rows": flows.ROWS["ppo"], "score": node(RewardFunction, code=CODE)}
    return flows.draw("base -> ppo, rows -> ppo, score -> ppo", **nodes, ppo=flows.TRAINERS["ppo"])


@pytest.fixture
def opened(open_editor: Callable[..., Any], work: Path) -> Iterator[Any]:
    path = work / "flow.json"
    editor = open_editor(json.loads(flows.save(drawn(), path).read_text()), path)
    editor.window.show()
    editor.settle()
    yield editor
    editor.shell.coding.end()


def window_of(editor: Any) -> CodeFieldWindow:
    editor.shell.coding.show(editor.node("score"), "code")
    return editor.shell.coding.windows[editor.node("score"), "code"]


def marked(window: CodeFieldWindow) -> list[int]:
    return [mark.cursor.blockNumber() + 1 for mark in window.view.extraSelections()]


def test_rows_are_scored_and_a_test_that_hangs_is_stopped(
    opened: Any, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = window_of(opened)
    trial = window.trial
    monkeypatch.setattr(type(opened.shell.runs), "untrusted", lambda *_: ["code"])
    trial.button.click()
    assert UNKNOWN_CODE in trial.note.text()
    assert trial.client._lines.process is None
    monkeypatch.setattr(type(opened.shell.runs), "untrusted", lambda *_: [])
    trial.rows.setValue(3)
    trial.tokens.setValue(4)
    trial.button.click()
    assert SAMPLING in trial.note.text()
    assert not trial.button.isEnabled()
    opened.qtbot.waitUntil(lambda: not trial.is_testing, timeout=WAIT)
    table = trial.results.table
    assert [table.horizontalHeaderItem(i).text() for i in range(4)] == ["row", "prompt", "completion", "score"]
    prompts = ["".join(table.item(row, 1).text().split()) for row in range(3)]
    failed = [row for row in range(3) if table.item(row, 3).text() == "failed"]
    assert failed == [row for row in range(3) if "1" in prompts[row]] == [1]
    facts = trial.results.facts.toPlainText()
    assert "row 2: line 4: ZeroDivisionError" in facts
    assert "row 1: asked 1" in facts
    for fact in ("3 completions from Load Model", "min ", "have the most common score", "s per call"):
        assert fact in facts
    assert "spread" not in facts, "no group has several completions"
    assert marked(window) == [4]
    table.choose("1")
    assert "score failed" in trial.results.detail.toPlainText()
    began = work / "began"
    window.view.setPlainText(HANGING.format(began=str(began)))
    trial.button.click()
    assert "began" in opened.node("score").params["code"], "what is tested is what stands there"
    assert marked(window) == []
    opened.qtbot.waitUntil(lambda: began.exists() and CALLING in trial.note.text(), timeout=WAIT)
    process = trial.client._lines.process
    trial.stop_button.click()
    assert STOPPED in trial.note.text()
    assert process.state() == process.ProcessState.NotRunning
    assert trial.results.currentWidget() is trial.results.rows
    table = trial.results.table
    assert (table.rowCount(), table.columnCount()) == (3, 3), "what there is stays: completions without scores"
    assert trial.button.isEnabled()
    assert trial.client is not opened.shell.runs.examiner
    opened.window.close()
    assert opened.shell.coding.windows == {}, "it closes with the project"


@pytest.fixture
def reward(shared: Any) -> Iterator[Any]:
    yield shared.place(RewardFunction, "score", code=CODE)
    shared.shell.coding.end()


def test_trainers_are_offered_as_the_flow_is_drawn(shared: Any, reward: Any) -> None:
    """One of them takes the reward through another one."""
    ppo, grpo, total = (shared.place(kind, kind.stem) for kind in (PPO, GRPO, CombineRewards))
    report = shared.place(Evaluate)
    for wire in (
        (reward, ppo, "reward"),
        (reward, total, "reward_1"),
        (total, grpo, "reward"),
        (total, report, "reward"),
    ):
        shared.wire(*wire)
    trial = window_of(shared).trial
    assert sorted(trial.trainer.itemText(i) for i in range(trial.trainer.count())) == ["GRPO 'grpo'", "PPO 'ppo'"]
    trial.trainer.setCurrentText("PPO 'ppo'")
    rename(grpo, "later")
    shared.qtbot.waitUntil(lambda: trial.trainer.findText("GRPO 'later'") >= 0)
    assert trial.trainer.currentText() == "PPO 'ppo'"
    shared.select(ppo, total)
    shared.view.remove_selected_components__cmd()
    shared.qtbot.waitUntil(lambda: trial.trainer.count() == 0)
    assert NO_TRAINER in trial.note.text()
    assert not trial.button.isEnabled()
    bypass(reward, True)
    shared.qtbot.waitUntil(lambda: BYPASSED in trial.note.text())


def test_what_is_wrong_is_shown_as_it_is_typed(shared: Any, reward: Any) -> None:
    window = window_of(shared)
    assert window.findings.isHidden()
    window.view.setPlainText("def score(completions, **kwargs):\n    return [\n")
    shared.qtbot.waitUntil(lambda: "syntax error in <a href='2'" in window.findings.text())
    assert marked(window) == [2]
    window.findings.linkActivated.emit("2")
    assert window.view.textCursor().blockNumber() == 1
    window.view.setPlainText(CODE)
    shared.qtbot.waitUntil(window.findings.isHidden)
    assert marked(window) == []


def test_what_a_check_has_found_is_shown_until_the_code_changes(shared: Any, reward: Any) -> None:
    window = window_of(shared)
    warning, error = (
        Problem(text, "", "code", "score", weight)
        for text, weight in (("line 1: b", "warning"), ("line 3: a", "error"))
    )
    other = Problem("line 2: of another field", "", "function", "score")
    shared.state.show_problems((warning, error, other), shared.shell.runs.snapshot(shared.flow))
    shared.qtbot.waitUntil(lambda: marked(window) == [1, 3])
    assert [part.split("</a>")[-1] for part in window.findings.text().split("</p>")] == [": a", ": b", ""]
    set_value(reward, "code", CODE + "\n")
    shared.qtbot.waitUntil(window.findings.isHidden)


# Parts


FOUND: Mapping[str, Any] = {
    "source": "Load Model 'base'",
    "completions": [{"prompt": "p", "completion": f"c{i}", "group": i, "total": 0.5} for i in range(3)],
    "rewards": [
        {
            "reward": "score",
            "weight": 1.0,
            "scores": [0.5, None, None],
            "spread": [0.0, 0.0, 0.0],
            "least": 0.5,
            "mean": 0.5,
            "most": 0.5,
            "equal": 1.0,
            "seconds": 0.25,
            "failures": {"1": "line 7: <KeyError>: 'answer'.", "2": "line 7: <KeyError>: 'answer'."},
            "printed": "a < b\n  c",
        }
    ],
    "warnings": ["all are equal"],
}


class Client:
    """Answers when it is told to."""

    def __init__(self, parent: Any) -> None:
        self.then: Any = None
        self.stopped = 0

    def ask(self, asked: Any, owner: Any, then: Any) -> None:
        self.then = then

    def stop(self) -> None:
        self.then, self.stopped = None, self.stopped + 1


def test_what_was_shown_stays_when_a_later_test_fails(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "PreviewClient", Client)
    made = RewardFunction.__new__(RewardFunction)
    trial = Trial(made, lambda *_: {"number": 1}, lambda _: {"grpo": "GRPO 'grpo'"})
    qtbot.addWidget(trial)
    lines: list[list[int]] = []
    trial.failed_at.connect(lines.append)
    trial.test()
    trial.client.then({"number": 1, "scored": FOUND})
    assert lines == [[7]]
    facts = trial.results.facts.toPlainText()
    assert "rows 2, 3: line 7: <KeyError>" in facts
    assert "min 0.5, mean 0.5, max 0.5" in facts
    assert "100% have the most common score" in facts
    assert "a < b\n  c" in facts
    assert "all are equal" in facts
    assert trial.results.table.item(1, 3).toolTip() == "line 7: <KeyError>: 'answer'."
    assert trial.note.isHidden()
    trial.test()
    trial.client.then({"partial": {**FOUND, "rewards": []}})
    assert CALLING in trial.note.text()
    assert trial.stop_button.isEnabled()
    assert trial.results.table.columnCount() == 3
    trial.client.then({"problems": ["no <model>", "no rows"]})
    assert "no &lt;model&gt;<br>no rows" in trial.note.text()
    assert BAD in trial.note.text()
    assert trial.results.currentWidget() is trial.results.rows
    assert trial.button.isEnabled()
