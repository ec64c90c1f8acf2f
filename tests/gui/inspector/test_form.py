"""The inspector's form, on nodes without a window."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shiboken6
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QFileDialog, QToolButton

from ryven_llm_nodes.catalogue import DPO, GRPO, SFT, LoadDataset, LoadModel, LoRA, RewardFunction, SaveModel
from ryven_llm_nodes.catalogue.reward_templates import GALLERY
from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.inspector.field_row import first_sentences, plain_help
from ryven_llm_nodes.gui.inspector.field_values import as_text, from_text
from ryven_llm_nodes.gui.inspector.form import ParameterForm
from ryven_llm_nodes.gui.state import edits
from ryven_llm_nodes.host.session import new_session


@pytest.fixture
def undone(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """The undo actions of the edits so far; stands where Ryven's undo stack would."""
    stack: list[Callable[[], None]] = []

    def push(view: Any, text: str, undo: Callable[[], None], redo: Callable[[], None]) -> None:
        redo()
        stack.append(undo)

    monkeypatch.setattr(edits, "push_undo", push)
    return stack


@pytest.fixture
def make(qtbot: Any, undone: list[Any]) -> Callable[..., ParameterForm]:
    """Makes a form of a node of a class, with these values."""
    flow = new_session().create_flow("flow")

    def form_of(kind: type, root: Path | None = None, **params: Any) -> ParameterForm:
        node = flow.create_node(kind)
        node.gui = SimpleNamespace(flow_view=lambda: None)
        node.params = dict(params)
        form = ParameterForm(node, lambda: root)
        qtbot.addWidget(form)
        form.resize(340, 600)
        form.show()
        qtbot.waitExposed(form)
        qtbot.wait(30)
        return form

    return form_of


def type_into(form: ParameterForm, name: str, text: str, qtbot: Any) -> None:
    """Replaces the text of a line and presses Enter."""
    line = form.row(name).editor.input()
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, text) if text else qtbot.keyClick(line, Qt.Key.Key_Delete)
    qtbot.keyClick(line, Qt.Key.Key_Return)


def test_code_may_start_from_a_template(make: Callable[..., ParameterForm], undone: list[Any]) -> None:
    form = make(RewardFunction, code="def mine(completions, **kwargs): ...")
    (button,) = form.row("code").findChildren(QToolButton, "gallery")
    actions = {action.text(): action for action in button.menu().actions()}
    assert list(actions) == list(GALLERY)
    actions["Right number"].trigger()
    assert form.node.params["code"] == GALLERY["Right number"]
    undone.pop()()
    assert form.node.params["code"] == "def mine(completions, **kwargs): ..."
    assert not form.row("function").findChildren(QToolButton, "gallery")


# Values


@pytest.mark.parametrize(("value", "text"), [(1e-5, "1e-5"), (2.5e-10, "2.5e-10"), (0.1, "0.1"), (1e16, "1e16")])
def test_numbers_are_shown_as_people_write_them(value: float, text: str) -> None:
    assert as_text(value) == text
    assert float(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("1e-5", 1e-5), ("nan", "nan"), ("NaN", "NaN"), ("1e999", "1e999"), ("x", "x")]
)
def test_text_that_is_no_number_stays_text(text: str, value: Any) -> None:
    assert from_text(GRPO.all_parameters()["learning_rate"], text) == value


def test_a_number_keeps_the_form_in_which_it_was_typed(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    type_into(form, "learning_rate", "0.00001", qtbot)
    assert form.node.params == {"learning_rate": 1e-5}
    assert form.row("learning_rate").editor.line.text() == "0.00001"


def test_an_edit_is_kept_without_enter_once_typing_pauses(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    line = form.row("epsilon").editor.line
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, "0.15")
    assert form.node.params == {}
    qtbot.waitUntil(lambda: form.node.params == {"epsilon": 0.15})


def test_flush_keeps_what_is_being_typed(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    line = form.row("epsilon").editor.line
    line.selectAll()
    qtbot.keyClicks(line, "0.15")
    form.flush()
    assert form.node.params == {"epsilon": 0.15}


# Bad values


def test_a_bad_value_is_marked_at_once_and_stored_as_typed(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    row = form.row("learning_rate")
    row.editor.line.selectAll()
    qtbot.keyClicks(row.editor.line, "fast")
    assert row.problem_text.startswith("must be a number, got 'fast'.")
    assert row.editor.line.property("bad") is True
    qtbot.keyClick(row.editor.line, Qt.Key.Key_Return)
    assert form.node.params == {"learning_rate": "fast"}


def test_a_bad_value_is_there_again_when_the_node_is_selected_again(make: Any) -> None:
    form = make(GRPO, learning_rate="fast", beta=-1)
    assert form.row("learning_rate").editor.line.text() == "fast"
    assert form.row("learning_rate").problem_text
    assert form.row("beta").editor.line.text() == "-1"


def test_a_value_out_of_range_says_the_range_and_what_is_usual(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    type_into(form, "epsilon", "2", qtbot)
    assert form.row("epsilon").problem_text == "must be less than 1, got 2. Typical: 0.1 to 0.2."
    type_into(form, "epsilon", "0.2", qtbot)
    assert form.row("epsilon").problem_text == ""
    assert form.row("epsilon").editor.line.property("bad") is False


def test_a_flag_that_holds_text_is_shown_as_text_until_it_is_right(make: Any, qtbot: Any) -> None:
    form = make(LoadDataset, shuffle="yes")
    row = form.row("shuffle")
    assert row.editor.line.text() == "yes"
    assert "true or false" in row.problem_text
    type_into(form, "shuffle", "true", qtbot)
    assert form.node.params == {"shuffle": True}
    assert row.editor.findChild(QCheckBox).isChecked()


def test_a_choice_that_there_is_not_is_shown(make: Any) -> None:
    form = make(LoadModel, dtype="int4")
    assert form.row("dtype").editor.box.currentText() == "int4"
    assert "must be one of" in form.row("dtype").problem_text


def test_a_parameter_that_the_node_does_not_have_can_be_taken_out(make: Any, qtbot: Any) -> None:
    form = make(GRPO, learning_rat=1)
    assert "Did you mean 'learning_rate'?" in form.row("learning_rat").problem_text
    form.row("learning_rat").reset_button.click()
    assert form.node.params == {}


def test_what_the_check_of_the_flow_finds_is_shown_at_the_field(make: Any) -> None:
    form = make(LoadModel, path="./gone")
    form.set_complaints({"path": "the model folder './gone' does not exist"})
    assert form.row("path").problem_text == "the model folder './gone' does not exist"
    form.set_complaints({})
    assert form.row("path").problem_text == ""


# Defaults, reset, none


def test_changed_values_are_marked_and_reset_takes_them_back(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    row = form.row("learning_rate")
    assert (row.is_changed, row.reset_button) == (False, None)
    type_into(form, "learning_rate", "1e-5", qtbot)
    assert row.is_changed
    qtbot.mouseClick(row.reset_button, Qt.MouseButton.LeftButton)
    assert form.node.params == {}
    assert row.editor.line.text() == "2e-6"
    assert (row.is_changed, row.reset_button) == (False, None)


def test_typing_the_default_again_is_no_change(make: Any, qtbot: Any) -> None:
    form = make(GRPO, epsilon=0.15)
    type_into(form, "epsilon", "0.1", qtbot)
    assert form.node.params == {}


def test_an_optional_value_can_be_cleared_to_none(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    assert form.row("reward_threshold").editor.line.text() == "0.7"
    type_into(form, "reward_threshold", "", qtbot)
    assert form.node.params == {"reward_threshold": None}
    assert form.row("reward_threshold").problem_text == ""
    assert form.row("reward_threshold").editor.line.placeholderText() == "off: plain GRPO"


def test_a_flag_that_may_be_none_has_three_choices(make: Any) -> None:
    form = make(GRPO)
    box = form.row("bf16").editor.box
    assert [box.itemText(i) for i in range(box.count())] == ["none  (default)", "true", "false"]
    box.setCurrentIndex(2)
    box.activated.emit(2)
    assert form.node.params == {"bf16": False}


def test_usual_ranges_stand_beside_the_essential_fields(make: Any) -> None:
    form = make(GRPO)
    assert form.row("learning_rate").hint.text() == "usually 1e-7 to 2e-6 (LoRA: about ten times that)"


def test_lists_and_dictionaries_are_typed_as_json(make: Any, qtbot: Any) -> None:
    form = make(LoRA)
    type_into(form, "target_modules", '["q_proj", "v_proj"]', qtbot)
    assert form.node.params == {"target_modules": ["q_proj", "v_proj"]}
    assert form.row("target_modules").problem_text == ""


# Undo


def test_an_undo_is_shown(make: Any, qtbot: Any, undone: list[Any]) -> None:
    form = make(GRPO)
    type_into(form, "learning_rate", "1e-5", qtbot)
    undone.pop()()
    assert form.row("learning_rate").editor.line.text() == "2e-6"
    assert not form.row("learning_rate").is_changed


def test_every_edit_is_one_undo(make: Any, qtbot: Any, undone: list[Any]) -> None:
    form = make(GRPO)
    type_into(form, "learning_rate", "1e-5", qtbot)
    form.row("learning_rate").editor.line.clearFocus()
    qtbot.wait(700)
    assert len(undone) == 1


def test_the_undo_key_reaches_the_window_when_nothing_was_typed(make: Any, qtbot: Any) -> None:
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QKeyEvent

    form = make(GRPO)
    line = form.row("learning_rate").editor.line

    def is_taken() -> bool:
        key = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        key.ignore()
        QApplication.sendEvent(line, key)
        return key.isAccepted()

    assert not is_taken()
    line.selectAll()
    qtbot.keyClicks(line, "3")
    assert is_taken()


def test_a_form_that_is_gone_listens_no_more(make: Any, qtbot: Any) -> None:
    node = make(GRPO).node
    form = ParameterForm(node)
    shown = []
    form._count = lambda: shown.append(node.params.copy())
    edits.set_value(node, "beta", 0.1)
    shiboken6.delete(form)
    edits.set_value(node, "beta", 0.2)
    assert shown == [{"beta": 0.1}]


# All settings


def test_every_field_of_the_configuration_can_be_reached(make: Any) -> None:
    form = make(GRPO)
    assert len(form.parameters) > 150
    own = [parameter.name for parameter in GRPO.parameters]
    assert form.names["essential"][: len(own)] == own
    sampling = ["max_completion_length", "temperature", "beta"]
    assert form.names["essential"][len(own) :][:5] == [*sampling, "num_train_epochs", "max_steps"]
    assert set(form.lists["essential"].names + form.lists["further"].names) == set(GRPO.all_parameters())


def test_choices_are_lists_and_others_are_refused(make: Any) -> None:
    form = make(SFT, lr_scheduler_type="cosin")
    row = form.row("lr_scheduler_type")
    assert isinstance(row.editor.input(), QComboBox)
    assert "got 'cosin'. Did you mean 'cosine'?" in row.problem_text
    assert row.editor.box.findText("cosine") >= 0
    for name in ("save_strategy", "optim", "bf16", "eval_strategy"):
        assert isinstance(form.row(name).editor.input(), QComboBox), name


def test_several_losses_are_typed_with_commas_and_each_has_its_line(make: Any, qtbot: Any) -> None:
    form = make(DPO)
    box = form.row("loss_type").editor.box
    box.lineEdit().setText("sigmoid, sft")
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)
    assert form.node.params == {"loss_type": ["sigmoid", "sft"]}
    assert box.currentText() == '["sigmoid", "sft"]'
    box.setCurrentIndex(box.findText("ipo"))
    box.activated.emit(box.currentIndex())
    assert form.node.params == {"loss_type": "ipo"}
    assert "IPO, arXiv 2310.12036" in box.itemData(box.findText("ipo"), Qt.ItemDataRole.ToolTipRole)
    box.lineEdit().setText("sigmoid, sfd")
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)
    assert "got 'sfd'. Did you mean 'sft'?" in form.row("loss_type").problem_text


def test_search_finds_by_name_first_and_by_help(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    qtbot.keyClicks(form.search, "cumulative probability")
    assert form.lists["essential"].names == []
    assert "top_p" in form.lists["further"].names
    form.search.setText("beta")
    assert form.lists["essential"].names[0] == "beta"
    form.search.setText("learning rate")
    assert form.lists["essential"].names[0] == "learning_rate"
    form.search.setText("no such thing at all")
    assert form.nothing.isVisible()
    assert form.lists["further"].names == []


def test_the_tab_key_walks_the_fields_as_they_are_seen(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    form.activateWindow()
    form.row("learning_rate").editor.line.setFocus()
    seen = []
    for _ in range(8):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        seen.append(QApplication.focusWidget().accessibleName())
    assert seen == form.names["essential"][1:9]


def test_without_the_library_the_essential_fields_are_there(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(cls: type) -> Any:
        raise LLMNodesError("cannot read the fields of GRPOConfig; install trl")

    monkeypatch.setattr(GRPO, "all_parameters", classmethod(missing))
    form = make(GRPO, beta=0.1)
    assert list(form.parameters) == [parameter.name for parameter in GRPO.parameters]
    assert "install trl" in form.trouble_note.text()
    assert form.trouble_note.isVisible()


def test_only_what_was_changed(make: Any) -> None:
    form = make(GRPO, top_p=0.9, learning_rate=1e-5)
    assert form.only_changed.text() == "Changed 2"
    form.only_changed.setChecked(True)
    assert (form.lists["essential"].names, form.lists["further"].names) == (["learning_rate"], ["top_p"])


def test_fields_out_of_sight_are_built_when_they_are_scrolled_to(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    before = len(form.built_rows())
    assert 5 <= before < 30
    assert "ignore_data_skip" not in form.built_rows()
    place = form.lists["further"].y() + form.lists["further"].top_of("ignore_data_skip")
    form.area.verticalScrollBar().setValue(place)
    qtbot.waitUntil(lambda: "ignore_data_skip" in form.built_rows())
    assert len(form.built_rows()) < 60
    row = form.row("ignore_data_skip")
    assert row.isVisible()
    assert abs(row.y() - form.lists["further"].top_of("ignore_data_skip")) < 2


def test_rows_never_overlap(make: Any, qtbot: Any) -> None:
    form = make(GRPO, beta="x", temperature="y", top_p="z")
    form.area.verticalScrollBar().setValue(600)
    qtbot.wait(50)
    rows = sorted((row for row in form.lists["further"].rows.values() if row.isVisible()), key=lambda row: row.y())
    assert len(rows) > 5
    for above, below in itertools.pairwise(rows):
        assert above.geometry().bottom() < below.geometry().top() + 1


def test_a_form_opens_quickly_after_the_first(make: Any, qtbot: Any) -> None:
    make(GRPO)
    node = make(GRPO).node
    times = []
    for _ in range(5):
        form = ParameterForm(node)
        form.resize(340, 600)
        start = time.thread_time()  # its work, not what else the machine does
        form.show()
        QApplication.processEvents()
        times.append(time.thread_time() - start)
        form.close()
    assert min(times) < 0.05


# Editors


def test_a_click_on_a_flag_sets_it(make: Any, qtbot: Any) -> None:
    form = make(LoadDataset)
    box = form.row("shuffle").editor.box
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(6, box.height() // 2))
    assert form.node.params == {"shuffle": True}
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(6, box.height() // 2))
    assert form.node.params == {}


def test_the_wheel_changes_no_value(make: Any) -> None:
    form = make(LoadModel)
    box = form.row("dtype").editor.box
    assert isinstance(box, QComboBox)
    box.setFocus()
    down = QPoint(0, -120)
    where = QPointF(5, 5)
    none = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(where, where, down, down, Qt.MouseButton.NoButton, *none, False)
    QApplication.sendEvent(box, event)
    assert box.currentIndex() == 0
    assert form.node.params == {}


def test_code_is_edited_in_several_lines(make: Any, qtbot: Any) -> None:
    form = make(RewardFunction)
    view = form.row("code").editor.view
    assert view.text() == RewardFunction.parameters[0].default
    view.set_text("")
    qtbot.keyClicks(view, "def score(completions, **kwargs):")
    qtbot.keyClick(view, Qt.Key.Key_Return)
    qtbot.keyClicks(view, "return [1.0]")
    qtbot.waitUntil(lambda: "code" in form.node.params)
    assert form.node.params["code"] == "def score(completions, **kwargs):\n    return [1.0]"


def test_the_line_of_a_syntax_error_is_marked(make: Any, qtbot: Any) -> None:
    form = make(RewardFunction)
    view = form.row("code").editor.view
    form.set_complaints({"code": "syntax error in line 3: invalid syntax: 'x ='"})
    assert view.extraSelections()[0].cursor.blockNumber() == 2
    qtbot.keyClicks(view, "#")
    assert view.extraSelections() == []


def test_a_chosen_path_below_the_flow_is_told_relative_to_it(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    rows = tmp_path / "data" / "train.jsonl"
    rows.write_text("{}\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(rows), ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "data"))
    data, model, saved = make(LoadDataset, tmp_path), make(LoadModel, tmp_path), make(SaveModel)
    data.row("path").editor.button.click()
    model.row("path").editor.button.click()
    saved.row("folder").editor.button.click()
    assert data.node.params == {"path": "data/train.jsonl"}
    assert model.node.params == {"path": "./data"}
    assert saved.node.params == {"folder": str(tmp_path / "data")}


def test_help_is_shown_below_the_field_that_has_the_focus(make: Any, qtbot: Any) -> None:
    form = make(GRPO)
    form.activateWindow()
    row = form.row("epsilon")
    row.editor.line.setFocus()
    qtbot.waitUntil(row.editor.line.hasFocus)
    assert row._notes["muted"].text() == "Clip range of the policy ratio."
    form.row("learning_rate").editor.line.setFocus()
    qtbot.waitUntil(lambda: not row._notes["muted"].isVisible())


def test_help_texts_are_plain_words() -> None:
    assert plain_help("See [the paper](https://a.b/c(d)) for\n more.") == "See the paper for more."
    long = first_sentences("A sentence that says something of use. " * 20)
    assert len(long) <= 170
    assert long.endswith("use.")
