"""What the nodes of a flow say when the run before was stopped or killed: where the next one resumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from records import stopped_stage

from ryven_llm_nodes.gui.canvas import trainer_widget
from ryven_llm_nodes.gui.canvas.trainer_widget import headline, shorter
from ryven_llm_nodes.gui.state.edits import set_value
from ryven_llm_nodes.gui.state.stage_run import StageRun
from ryven_llm_nodes.run.states import RunState
from ryven_llm_nodes.run.store.decisions import Decision


def said(editor: Any, name: str) -> tuple[str, str]:
    """What the node shows above its curve."""
    state, node = editor.state, editor.node(name)
    return headline(state.state(node), state.stage(node), state.resumes.get(node))


@pytest.fixture
def killed(open_editor: Callable[..., Any], data: Path, tmp_path: Path) -> Any:
    """A flow that is opened after its run was killed at a checkpoint."""
    drawn = flows.alone("sft")
    stopped_stage(tmp_path / "outputs" / "sft", flows.program(drawn, data), "sft", 403, 1500)
    editor = open_editor(drawn)
    editor.shell.document.root = data
    editor.state.look_soon()
    editor.qtbot.waitUntil(lambda: bool(editor.state.resumes))
    return editor


def test_a_node_says_where_the_next_run_resumes(killed: Any) -> None:
    assert said(killed, "sft") == ("can resume", "from step 403 of 1500")
    assert killed.state.state(killed.node("base")) == RunState.READY


def test_the_inspector_says_it_too(killed: Any) -> None:
    node = killed.node("sft")
    killed.window.show()
    killed.select(node)
    panel = killed.shell.flows.inspectors[killed.flow].panel(node)
    panel.build()
    killed.qtbot.waitUntil(lambda: "can resume from step 403 of 1500" in panel.state.text())
    set_value(node, "learning_rate", 2e-3)
    assert panel.state.text() == ""


def test_with_other_settings_it_is_ready_until_they_are_back(killed: Any) -> None:
    set_value(killed.node("sft"), "learning_rate", 2e-3)
    assert said(killed, "sft") == ("ready", "")
    killed.settle()
    assert said(killed, "sft") == ("ready", "")
    killed.view._undo_stack.undo()
    killed.qtbot.waitUntil(lambda: said(killed, "sft")[0] == "can resume")


def test_what_comes_before_counts(killed: Any, data: Path) -> None:
    set_value(killed.node("rows"), "path", str(data / "other.jsonl"))
    killed.qtbot.waitUntil(lambda: said(killed, "sft")[0] != "can resume")


def test_another_window_may_have_changed_what_is_there(killed: Any, tmp_path: Path) -> None:
    from qtpy.QtCore import QCoreApplication, QEvent

    for path in (tmp_path / "outputs/sft/store").glob("*/checkpoints/*/trainer_state.json"):
        path.unlink()
    QCoreApplication.sendEvent(killed.window, QEvent(QEvent.Type.WindowActivate))
    killed.qtbot.waitUntil(lambda: said(killed, "sft") == ("ready", ""))


def test_a_flow_with_another_title_has_another_folder(killed: Any) -> None:
    killed.window.core_session.rename_flow(killed.flow, "other")
    killed.qtbot.waitUntil(lambda: said(killed, "sft") == ("ready", ""))


def test_the_widget_is_painted_again(killed: Any) -> None:
    widget = killed.node("sft").gui.main_widget()
    can_resume = widget.grab().toImage()
    killed.state.show_resumable({})
    killed.settle(300)
    assert widget.grab().toImage() != can_resume


def test_fewer_words_where_there_is_less_room() -> None:
    assert shorter("from step 403 of 1500") == ["from step 403 of 1500", "from step 403", "from 403"]
    assert shorter("can resume from step 600")[-1] == "from 600"
    assert set(shorter("12 / 40 steps")) == {"12 / 40 steps"}


@pytest.mark.parametrize("scale", [1.0, 0.65])
def test_the_step_is_readable_at_every_usual_zoom(killed: Any, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    original = trainer_widget._text

    def text(painter: Any, rect: Any, where: Any, text: str, *rest: Any) -> float:
        width = original(painter, rect, where, text, *rest)
        drawn.extend([text] if width else [])
        return width

    monkeypatch.setattr(trainer_widget, "_text", text)
    killed.view.resetTransform()
    killed.view.scale(scale, scale)
    killed.node("sft").gui.main_widget().grab()
    assert drawn[:2] == ["can resume", "from step 403 of 1500" if scale == 1 else "from 403"]


def test_what_failed_says_so_first() -> None:
    failed, at = StageRun("sft", RunState.FAILED, 700, 1500), Decision("resume", step=600, total=1500)
    assert headline(RunState.FAILED, failed, at) == ("failed", "can resume from step 600")
    assert headline(RunState.FAILED, failed) == ("failed", "700 / 1500 steps")
    assert headline(RunState.RESUMABLE, None, Decision("resume", step=300)) == ("can resume", "from step 300")
