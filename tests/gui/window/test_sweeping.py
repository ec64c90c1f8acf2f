"""A sweep in the editor: parameters are varied by their menu, trials are shown as runs, the best values are used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtWidgets import QInputDialog

from ryven_llm_nodes.catalogue import DPO, LoadModel, Sweep
from ryven_llm_nodes.gui.state.edits import rename
from ryven_llm_nodes.run.states import RunState


def drawn(**sweep: Any) -> flows.Project:
    nodes = {"base": flows.BASE, "rows": flows.ROWS["dpo"], "dpo": flows.node(DPO, **flows.FAST)}
    if sweep:
        nodes["search"] = flows.node(Sweep, **sweep)
    return flows.draw("base -> dpo, rows -> dpo", "swept", **nodes)


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> list[str]:
    """The questions for values; each is answered with ``text``."""
    asked: list[str] = []

    def ask(*about: Any, text: str, given: str = text) -> tuple[str, bool]:
        asked.append(text)
        return given, True

    monkeypatch.setattr(QInputDialog, "getText", ask)
    return asked


def test_a_parameter_is_varied_from_its_menu(open_editor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    editor = open_editor(drawn())
    asked = answer(monkeypatch, "0.1,0.3")
    editor.state.vary_wanted.emit(editor.node("dpo"), "beta")
    assert asked == ["0.033,0.1,0.3"], "values around the present one"
    (sweep,) = (node for node in editor.flow.nodes if isinstance(node, Sweep))
    assert sweep.params["vary"] == "dpo.beta=0.1,0.3"
    answer(monkeypatch, "1e-6..1e-4:log")
    editor.state.vary_wanted.emit(editor.node("dpo"), "learning_rate")
    answer(monkeypatch, "0.05,0.2")
    editor.state.vary_wanted.emit(editor.node("dpo"), "beta")
    assert sweep.params["vary"].splitlines() == ["dpo.learning_rate=1e-6..1e-4:log", "dpo.beta=0.05,0.2"]
    for _ in range(3):
        editor.view._undo_stack.undo()
    assert not any(isinstance(node, Sweep) for node in editor.flow.nodes), "each was one step, with its node"


def test_a_sweep_follows_the_names_of_nodes(open_editor: Callable[..., Any]) -> None:
    editor = open_editor(drawn(vary="dpo.beta=0.1,0.3", metric="dpo.loss"))
    node, sweep = editor.node("dpo"), editor.node("search")
    rename(node, "align")
    assert (sweep.params["vary"], sweep.params["metric"]) == ("align.beta=0.1,0.3", "align.loss")
    editor.view._undo_stack.undo()
    assert (node.name, sweep.params["vary"], sweep.params["metric"]) == ("dpo", "dpo.beta=0.1,0.3", "dpo.loss")
    assert "prune" not in sweep.params


def test_trials_are_runs_and_the_best_values_are_used(
    open_editor: Callable[..., Any], work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    project = drawn(vary="dpo.beta=0.2,0.3", metric="dpo.loss", direction="minimize")
    editor = open_editor(project, flows.save(project, work / "flow.json"))
    sweeping, lines = editor.shell.sweeping, editor.log()
    sweeping.show(editor.node("search"))
    editor.qtbot.waitUntil(lambda: sweeping.window.run_button.isEnabled())
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=120_000) as ended:
        sweeping.window.run_button.click()
        assert sweeping.window.run_button.text() == "Stop"
    assert ended.args[1].status == "done", ended.args[1].error
    assert [line for line in lines if line.startswith("trial ")] == [
        line for number, beta in enumerate(tried(sweeping), 1) for line in [f"trial {number} of 2: dpo.beta = {beta}"]
    ]
    assert editor.state.model.stages["dpo"].state == RunState.DONE
    assert editor.state.state(editor.node("dpo")) == RunState.STALE, "it was trained, but not as it is drawn"
    assert len(editor.state.model.earlier["dpo"]) == 1, "the trial before is the ghost curve"
    assert sweeping.window.table.rowCount() == 2
    assert not sweeping.window.run_button.isEnabled(), "nothing is left to run"
    best = sweeping._shown[1].best
    sweeping.window.apply.click()
    assert editor.node("dpo").params["beta"] == best.values["dpo.beta"]
    assert editor.run().status == "done"
    assert editor.state.state(editor.node("dpo")) == RunState.REUSED, "the best trial's model is that of the flow now"
    editor.view._undo_stack.undo()
    assert editor.node("dpo").params.get("beta") == flows.FAST.get("beta")


def tried(sweeping: Any) -> list[float]:
    return [trial.values["dpo.beta"] for trial in sweeping._shown[1].trials]


def test_a_trial_that_lets_foreign_code_run_is_refused(
    open_editor: Callable[..., Any], work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    assert "trust_remote_code" in LoadModel.all_parameters()
    project = drawn(vary="base.trust_remote_code=true,false", metric="dpo.loss", trials=2)
    editor = open_editor(project, flows.save(project, work / "flow.json"))
    editor.shell.sweeping.show()
    editor.qtbot.waitUntil(lambda: editor.shell.sweeping.window.run_button.isEnabled())
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=120_000):
        assert editor.shell.sweeping.run()
    states = {trial.values["base.trust_remote_code"]: trial for trial in editor.shell.sweeping._shown[1].trials}
    assert states[True].state == "failed"
    assert "run the flow once with this value" in states[True].error
    assert states[False].state == "done"
