"""The inspector as a whole, and its Code tab."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shiboken6
from qtpy.QtGui import QGuiApplication

from ryven_llm_nodes.catalogue import GRPO, SFT, CombineRewards, LoadDataset, LoadModel
from ryven_llm_nodes.gui.inspector.panel import InspectorPanel
from ryven_llm_nodes.gui.state import edits
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.host.session import new_session
from ryven_llm_nodes.run.events import Progress, RunStarted, StageFailed, StageFinished, StageStarted


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load Model and Load Dataset, wired to SFT."""
    monkeypatch.setattr(edits, "push_undo", lambda view, text, undo, redo: redo())
    flow = new_session().create_flow("flow")
    model, data, sft = (flow.create_node(kind) for kind in (LoadModel, LoadDataset, SFT))
    model.params, data.params = {"path": "owner/model"}, {"path": "owner/data"}
    for node in flow.nodes:
        node.gui = SimpleNamespace(flow_view=lambda: None)
    flow.connect_nodes(model.outputs[0], sft.inputs[0])
    flow.connect_nodes(data.outputs[0], sft.inputs[1])
    return flow


@pytest.fixture
def inspect(flow: Any, qtbot: Any) -> Callable[..., InspectorPanel]:
    """Shows the inspector of a node, once its first check is done."""

    def show(node: Any, model: RunModel | None = None) -> InspectorPanel:
        panel = InspectorPanel(node, model or RunModel())
        panel.resize(340, 640)
        qtbot.addWidget(panel)
        panel.show()
        qtbot.waitUntil(lambda: not panel._check.isActive())
        return panel

    return show


def test_nothing_is_built_before_it_is_shown(flow: Any, qtbot: Any) -> None:
    start = time.thread_time()
    panel = InspectorPanel(flow.nodes[2], RunModel())
    assert time.thread_time() - start < 0.02
    qtbot.addWidget(panel)
    assert panel.form is None
    panel.show()
    assert "learning_rate" in panel.form.parameters


def test_the_code_tab_shows_an_edit(inspect: Any, flow: Any, qtbot: Any) -> None:
    panel = inspect(flow.nodes[2])
    panel.tabs.setCurrentIndex(1)
    assert "def sft_config(" in panel.code.view.text()
    assert "learning_rate=3e-6" not in panel.code.view.text()
    edits.set_value(flow.nodes[2], "learning_rate", 3e-6)
    qtbot.waitUntil(lambda: "learning_rate=3e-6" in panel.code.view.text())


def test_an_edit_of_another_node_is_shown_too(inspect: Any, flow: Any, qtbot: Any) -> None:
    panel = inspect(flow.nodes[2])
    edits.rename(flow.nodes[0], "smol")
    qtbot.waitUntil(lambda: "model=smol," in panel.code.view.text())


def test_many_edits_are_one_check(inspect: Any, flow: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = inspect(flow.nodes[2])
    checks = []
    monkeypatch.setattr(panel.code, "show_text", checks.append)
    for rate in range(1, 20):
        edits.set_value(flow.nodes[2], "learning_rate", rate / 1000)
    qtbot.wait(400)
    assert len(checks) == 1


def test_a_hidden_inspector_checks_nothing(inspect: Any, flow: Any, qtbot: Any) -> None:
    panel = inspect(flow.nodes[2])
    panel.hide()
    edits.set_value(flow.nodes[2], "learning_rate", 3e-6)
    assert not panel._check.isActive()
    panel.show()
    qtbot.waitUntil(lambda: "learning_rate=3e-6" in panel.code.view.text())


def test_problems_stand_where_the_code_would(inspect: Any, flow: Any, qtbot: Any) -> None:
    panel = inspect(flow.nodes[2])
    edits.set_value(flow.nodes[2], "learning_rate", "fast")
    edits.set_value(flow.nodes[1], "path", "")
    qtbot.waitUntil(lambda: panel.code.view.text() == "")
    note = panel.code.note.text()
    assert "must be a number, got &#x27;fast&#x27;." in note
    assert "1 problem elsewhere" in note
    assert "The code appears when these are fixed." in note
    assert not panel.tabs.tabIcon(1).isNull()
    panel.code.problem_chosen.emit("learning_rate")
    assert panel.tabs.currentWidget() is panel.form


def test_two_nodes_of_one_name_are_both_told(inspect: Any, flow: Any, qtbot: Any) -> None:
    panel = inspect(flow.nodes[2])
    edits.rename(flow.nodes[1], "twice")
    edits.rename(flow.nodes[2], "twice")
    qtbot.waitUntil(lambda: "has the same name as a Load Dataset" in panel.code.note.text())
    assert panel.name.property("bad") is True
    edits.rename(flow.nodes[2], "once")
    qtbot.waitUntil(lambda: panel.name.property("bad") is False)


def test_a_missing_file_is_marked_at_its_field(inspect: Any, flow: Any, qtbot: Any) -> None:
    panel = inspect(flow.nodes[1])
    edits.set_value(flow.nodes[1], "path", "gone.jsonl")
    qtbot.waitUntil(lambda: "gone.jsonl" in panel.form.row("path").problem_text)


def test_a_wire_that_goes_is_noticed(inspect: Any, flow: Any, qtbot: Any) -> None:
    panel = inspect(flow.nodes[2])
    flow.disconnect_nodes(flow.nodes[1].outputs[0], flow.nodes[2].inputs[1])
    qtbot.waitUntil(lambda: "this input is not connected" in panel.code.note.text())


def test_the_flow_forgets_an_inspector_that_is_gone(flow: Any, qtbot: Any) -> None:
    listeners = len(flow.connection_added._slot_priorities)
    panel = InspectorPanel(flow.nodes[2], RunModel())
    panel.show()
    assert len(flow.connection_added._slot_priorities) == listeners + 1
    shiboken6.delete(panel)
    assert len(flow.connection_added._slot_priorities) == listeners


def test_a_node_without_text_says_so(inspect: Any, flow: Any, qtbot: Any) -> None:
    flow.remove_node(flow.nodes[2])
    panel = inspect(flow.create_node(CombineRewards))
    assert "is not connected" in panel.code.note.text()


def test_a_removed_node_is_left_alone(inspect: Any, flow: Any) -> None:
    node = flow.nodes[2]
    panel = inspect(node)
    before = panel.code.view.text()
    flow.remove_node(node)
    panel.check_now()
    assert panel.code.view.text() == before


def test_the_whole_cell_can_be_copied(inspect: Any, flow: Any) -> None:
    panel = inspect(flow.nodes[2])
    panel.code.copy_button.click()
    text = QGuiApplication.clipboard().text()
    assert text.startswith("# %% SFT 'sft'")
    assert text.endswith(")")
    compile(text, "cell", "exec")


# The header


def test_the_name_can_be_edited(inspect: Any, flow: Any, qtbot: Any) -> None:
    node = flow.nodes[2]
    panel = inspect(node)
    assert panel.name.placeholderText() == "sft"
    qtbot.keyClicks(panel.name, "first")
    panel.name.editingFinished.emit()
    assert node.name == "first"
    qtbot.waitUntil(lambda: "def first_config(" in panel.code.view.text())
    edits.rename(node, "second")
    assert panel.name.text() == "second"


def test_the_state_of_the_stage_is_shown(inspect: Any, flow: Any, qtbot: Any) -> None:
    model = RunModel()
    panel = inspect(flow.nodes[2], model)
    for event in (RunStarted("", ("sft",)), StageStarted("sft"), Progress("sft", 12, 500)):
        model.post(event)
    qtbot.waitUntil(lambda: "running 12 / 500" in panel.state.text())
    model.post(StageFailed("sft", "SFT 'sft': out of memory", "Traceback ..."))
    qtbot.waitUntil(panel.failure.isVisible)
    assert panel.failure.text() == "SFT 'sft': out of memory"
    assert "failed" in panel.state.text()


def test_a_model_that_was_named_is_not_called_done_before_it_is_loaded(inspect: Any, flow: Any, qtbot: Any) -> None:
    model = RunModel()
    base, sft = inspect(flow.nodes[0], model), inspect(flow.nodes[2], model)
    for event in (StageFinished("base_model", ""), StageFinished("sft", "outputs/sft")):
        model.post(event)
    qtbot.waitUntil(lambda: "done" in sft.state.text())
    assert base.text.step == "base_model"
    assert base.state.text() == ""
    model.post(StageFailed("base_model", "Load Model: it cannot be loaded", "Traceback ..."))
    qtbot.waitUntil(lambda: "failed" in base.state.text())


def test_what_is_being_typed_is_kept_when_another_node_is_selected(inspect: Any, flow: Any, qtbot: Any) -> None:
    panel = inspect(flow.nodes[2])
    line = panel.form.row("learning_rate").editor.line
    line.selectAll()
    qtbot.keyClicks(line, "4e-5")
    panel.hide()
    assert flow.nodes[2].params == {"learning_rate": 4e-5}


def test_paths_of_sources_are_relative_to_the_flow_and_others_are_not(flow: Any, qtbot: Any, tmp_path: Path) -> None:
    grpo = InspectorPanel(flow.create_node(GRPO), RunModel(), lambda: tmp_path)
    qtbot.addWidget(grpo)
    assert grpo._folder_of_paths() == tmp_path
