"""The inspector: a node's description, settings, part of the script, and state of its last run."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QColor, QHideEvent, QIcon, QPainter, QPixmap, QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import shown
from ryven_llm_nodes.gui.inspector.code_tab import CodeTab, NodeText, node_text
from ryven_llm_nodes.gui.inspector.editors import set_property
from ryven_llm_nodes.gui.inspector.form import ParameterForm
from ryven_llm_nodes.gui.state import edits
from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.state.stage_run import StageRun
from ryven_llm_nodes.gui.style.colours import BAD
from ryven_llm_nodes.gui.style.families import colour_of
from ryven_llm_nodes.gui.style.rich_text import coloured
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.gui.widgets.first_paint import first_paint
from ryven_llm_nodes.gui.widgets.weak_calls import weakly
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run.states import RunState

CHECK_MS: Final = 150


class InspectorPanel(QWidget):
    """Everything about one node, in a column of at least 300 pixels.

    Making one is cheap: it is built when it is first shown (or by :meth:`build`). ``root`` gives the folder that
    relative paths are looked up in.
    """

    vary_wanted = Signal(object, str)
    code_wanted = Signal(object, str)
    """Its code is to be edited in a window: the node, and the parameter."""

    def __init__(
        self, node: LLMNode, model: RunModel, root: Callable[[], Path] = Path.cwd, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.node, self.model, self._root = node, model, weakly(root, Path())
        self.text = NodeText()
        self.form: ParameterForm | None = None
        self._check = QTimer(self, singleShot=True, interval=CHECK_MS)
        self._check.timeout.connect(self._check_when_painted)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(260)

    # Widgets

    def build(self) -> None:
        """Creates the widgets, once."""
        if self.form is not None:
            return
        self.setStyleSheet(PANEL_STYLE)
        self.form = ParameterForm(self.node, weakly(self._folder_of_paths))
        self.code = CodeTab()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.form, "Settings")
        self.tabs.addTab(self.code, "Code")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._make_header())
        column.addWidget(self.tabs, 1)
        self._connect()
        self.refresh()

    def _make_header(self) -> QWidget:
        header = QWidget()
        colour = colour_of(type(self.node))
        self.title = QLabel(coloured(self.node.title, colour))
        self.title.setProperty("role", "title")
        self.state = QLabel()
        self.state.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.summary = _muted(type(self.node).summary())
        self.name = QLineEdit()
        self.name.setToolTip("The node's name: its variable, function and folder. Letters, digits and _ are allowed.")
        self.name.editingFinished.connect(self._rename)
        column = QVBoxLayout(header)
        column.setContentsMargins(16, 10, 12, 4)
        column.setSpacing(5)
        for row in ((self.title, self.state), (self.summary,), (_muted("name"), self.name)):
            column.addLayout(_row(*row))
        self.failure = _muted("")
        self.failure.setTextFormat(Qt.TextFormat.PlainText)  # it may quote text that looks like a tag
        self.failure.setProperty("role", "bad")
        self.failure.hide()
        column.addWidget(self.failure)
        return header

    def _connect(self) -> None:
        edits.changed_signal.connect(self._on_changed)
        self.model.stage_changed.connect(self._on_stage)
        flow_state(self.node.flow).resumable_changed.connect(self.refresh)
        self.tabs.currentChanged.connect(self.check_later)
        self.code.problem_chosen.connect(self.go_to)
        self.form.window_wanted.connect(self._want_window)
        self.form.vary_wanted.connect(self._want_to_vary)
        _listen_to_wires(self)

    def _folder_of_paths(self) -> Path | None:
        # the output folder of the run, where an output node writes, is not known here
        return None if self.node.writes else self._root().absolute()

    # Edits

    def flush(self) -> None:
        """Commits pending edits; call this before a run, a check, a save."""
        if self.form is not None:
            self.form.flush()
            self._rename()

    def _rename(self) -> None:
        is_there = self.node in self.node.flow.nodes
        if is_there and self.name.isModified() and self.name.text().strip() != self.node.name:
            edits.rename(self.node, self.name.text())

    def _on_changed(self, node: object) -> None:
        if node is self.node:
            self.refresh()
        self.check_later()

    def _want_to_vary(self, parameter: str) -> None:
        self.vary_wanted.emit(self.node, parameter)

    def _want_window(self, parameter: str) -> None:
        self.code_wanted.emit(self.node, parameter)

    def go_to(self, parameter: str) -> None:
        """Brings the field of ``parameter`` into view, if it has one."""
        if self.form is not None and parameter in self.form.parameters:
            self.tabs.setCurrentWidget(self.form)
            self.form.scroll_to(parameter)

    # What is shown

    def refresh(self) -> None:
        """Shows the current name and state."""
        if self.form is None:
            return
        if self.name.text() != self.node.name and not self.name.isModified():
            self.name.setText(self.node.name)
        self.name.setModified(False)
        self.name.setPlaceholderText(self.text.step or type(self.node).stem)
        self._show_stage(self.model.stages.get(self.text.step))

    def check_later(self) -> None:
        """Schedules a check of the flow, if the panel is visible; several calls are one check."""
        if self.isVisible():
            self._check.start()

    def _check_when_painted(self) -> None:
        if first_paint(self).is_done:
            self.check_now()
        else:
            self.check_later()

    def check_now(self) -> None:
        """Checks the flow now: the Code tab shows the node's text, the form what is wrong."""
        self._check.stop()
        if self.form is None or self.node not in self.node.flow.nodes:
            return
        self.text = node_text(self.node, self._root())
        self.code.show_text(self.text)
        own = [problem for problem in self.text.problems if self.text.step or problem.node == self._label]
        wrong = {problem.parameter: problem.message for problem in reversed(own)}
        self.form.set_complaints(wrong)
        set_property(self.name, "bad", "name" in wrong)
        self.tabs.setTabIcon(1, _dot(BAD) if self.text.problems else QIcon())
        self.refresh()

    @property
    def _label(self) -> str:
        """The node as problems name it while two nodes have the same name, so that steps have no names yet."""
        return f"{self.node.title} {shown(self.node.name)}"

    def _on_stage(self, step: str) -> None:
        if step == self.text.step:
            self._show_stage(self.model.stages.get(step))

    def _show_stage(self, stage: StageRun | None) -> None:
        if stage and stage.state == RunState.DONE and not self.node.is_stage and self.node.out_ports:
            stage = None  # a value is done before what it names is opened, which may fail
        known = flow_state(self.node.flow)
        if known.state(self.node) == RunState.RESUMABLE:
            words = f"{RunState.RESUMABLE.word} from {known.resumes[self.node].place}"
            self.state.setText(coloured(words, state_colour(RunState.RESUMABLE)))
        else:
            self.state.setText(coloured(stage_words(stage), state_colour(stage.state)) if stage else "")
        message = stage.message if stage and stage.state == RunState.FAILED else ""
        self.failure.setText(message)
        self.failure.setVisible(bool(message))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.build()
        self.check_later()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not event.spontaneous():
            self.flush()


def stage_words(stage: StageRun) -> str:
    """The state of a stage in a few words: ``running 12 / 500, 3 min left``."""
    if not stage.is_running or not stage.total:
        return stage.state.word
    left = stage.seconds_left
    return f"{stage.state.word} {stage.done} / {stage.total}" + (f", {duration(left)} left" if left is not None else "")


def _dot(colour: str) -> QIcon:
    """A coloured dot, to mark a tab."""
    picture = QPixmap(16, 16)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(4, 4, 8, 8)
    painter.end()
    return QIcon(picture)


def _muted(text: str) -> QLabel:
    label = QLabel(text, wordWrap=len(text) > 8 or not text)
    label.setProperty("role", "muted")
    return label


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    for widget in widgets:
        row.addWidget(widget)
    return row


def _listen_to_wires(panel: InspectorPanel) -> None:
    """Has ``panel`` checked when a wire of its flow is added or removed.

    A flow keeps its subscribers alive, so it gets a function with a weak reference to the panel.
    """
    known = weakref.ref(panel)
    events = (panel.node.flow.connection_added, panel.node.flow.connection_removed)

    def on_wire(*_: Any) -> None:
        listener = known()
        if listener is not None:
            listener.check_later()

    def leave(*_: Any) -> None:
        for event in events:
            event.unsub(on_wire)

    for event in events:
        event.sub(on_wire)
    panel.destroyed.connect(leave)
