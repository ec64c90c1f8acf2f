"""The form of a node: its essential parameters, then every other field of its configuration, searchable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qtpy.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.inspector.editors import CODE_HEIGHT
from ryven_llm_nodes.gui.inspector.field_row import FieldRow
from ryven_llm_nodes.gui.inspector.field_values import editor_kind, same
from ryven_llm_nodes.gui.inspector.fields_list import FieldsList, visible_part
from ryven_llm_nodes.gui.state import edits
from ryven_llm_nodes.gui.widgets.weak_calls import weakly

FLAG_HEIGHT: Final = 27
LINE_HEIGHT: Final = 51


@dataclass(frozen=True, kw_only=True)
class UnknownParameter(Parameter):
    """A value under a name that the node does not have: shown, so that it can be removed."""

    reason: str = ""

    @classmethod
    def of(cls, node: LLMNode, name: str) -> UnknownParameter:
        """The unknown parameter ``name`` of ``node``."""
        reason = dict(type(node).parameter_complaints({name: None})).get(name, "is unknown")
        return cls(name=name, types=(bool, int, float, str, list, dict, type(None)), default=None, reason=reason)

    def problem(self, value: JSON) -> str | None:
        return self.reason


def known_parameters(node: type[LLMNode]) -> tuple[Mapping[str, Parameter], str]:
    """The parameters of a node class; if the library that declares most is missing, the essential ones and why."""
    try:
        return node.all_parameters(), ""
    except LLMNodesError as error:
        return {parameter.name: parameter for parameter in node.parameters}, str(error)


class ParameterForm(QWidget):
    """Edits the parameters of ``node``; every edit is an undoable one of the editor.

    The form follows the node: an undo, a redo, or an edit elsewhere is shown at once. ``root`` gives the folder that
    chosen paths are relative to. ``committed`` says which parameter was set or reset here.
    """

    committed = Signal(str)
    vary_wanted = Signal(str)
    window_wanted = Signal(str)
    """The code of a parameter is to be edited in a window."""

    def __init__(
        self, node: LLMNode, root: Callable[[], Path | None] = lambda: None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.node, self._root = node, weakly(root)
        known, self.trouble = known_parameters(type(node))
        unknown = {} if self.trouble else {n: UnknownParameter.of(node, n) for n in node.params if n not in known}
        self.parameters: Mapping[str, Parameter] = {**unknown, **known}
        frequent = (name for name in type(node).frequent if name in known)
        essential = list(dict.fromkeys([*unknown, *(parameter.name for parameter in type(node).parameters), *frequent]))
        self.names = {"essential": essential, "further": [n for n in self.parameters if n not in set(essential)]}
        self._complaints: dict[str, str] = {}
        self._build()
        edits.changed_signal.connect(self._on_changed)
        self._apply_filter()

    # Widgets

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.search_bar = self._make_search_bar()
        self.search_bar.setVisible(bool(self.names["further"]))
        column.addWidget(self.search_bar)
        self.area = QScrollArea(self, widgetResizable=True, frameShape=QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._make_content())
        self.area.verticalScrollBar().valueChanged.connect(self._reveal)
        self.area.viewport().installEventFilter(self)
        column.addWidget(self.area, 1)

    def _make_search_bar(self) -> QWidget:
        bar = QWidget(self)
        self.search = QLineEdit(bar, placeholderText=f"Search {len(self.parameters)} settings", clearButtonEnabled=True)
        self.search.setObjectName("search")
        self.only_changed = QPushButton("Changed", bar, checkable=True)
        self.only_changed.setToolTip("Show only what differs from the defaults")
        row = QHBoxLayout(bar)
        row.setContentsMargins(10, 8, 10, 6)
        row.addWidget(self.search, 1)
        row.addWidget(self.only_changed)
        self.search.textChanged.connect(self._apply_filter)
        self.only_changed.toggled.connect(self._apply_filter)
        return bar

    def _make_content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(6, 2, 6, 10)
        column.setSpacing(0)
        make, estimate = weakly(self._make_row), weakly(self._estimate, 0)
        self.lists = {part: FieldsList(make, estimate, content) for part in self.names}
        self.section = QLabel("ALL SETTINGS", content)
        self.section.setProperty("role", "section")
        self.section.setContentsMargins(10, 14, 0, 4)
        self.nothing = QLabel("No setting matches.", content, alignment=Qt.AlignmentFlag.AlignCenter)
        self.nothing.setProperty("role", "muted")
        self.nothing.setContentsMargins(0, 30, 0, 0)
        self.trouble_note = QLabel(self.trouble, content, wordWrap=True)
        self.trouble_note.setProperty("role", "bad")
        self.trouble_note.setContentsMargins(10, 14, 4, 0)
        self.trouble_note.setVisible(bool(self.trouble))
        for widget in (self.lists["essential"], self.trouble_note, self.section, self.lists["further"], self.nothing):
            column.addWidget(widget)
        column.addStretch(1)
        return content

    def _make_row(self, name: str, parent: QWidget) -> FieldRow:
        row = FieldRow(self.parameters[name], self._root, parent)
        row.edited.connect(self._set)
        row.reset.connect(self._reset)
        row.window_wanted.connect(self.window_wanted)
        row.vary_wanted.connect(self.vary_wanted)
        self._show(row)
        row.set_complaint(self._complaints.get(name, ""))
        return row

    def _estimate(self, name: str) -> int:
        parameter = self.parameters[name]
        return FLAG_HEIGHT if editor_kind(parameter, self.value(name)) == "flag" else LINE_HEIGHT

    # Values

    def value(self, name: str) -> JSON:
        """The effective value: the one that was set, else the default."""
        return self.node.params.get(name, self.parameters[name].default)

    def row(self, name: str) -> FieldRow:
        """The row of the parameter ``name``, which is built if needed."""
        part = "essential" if name in self.names["essential"] else "further"
        return self.lists[part].row(name)

    def built_rows(self) -> dict[str, FieldRow]:
        """The rows that have been built so far, by name."""
        return self.lists["essential"].rows | self.lists["further"].rows

    def flush(self) -> None:
        """Commits pending edits, as before a run or a save."""
        for row in list(self.built_rows().values()):
            row.flush()

    @property
    def _is_alive(self) -> bool:
        """Whether the node still exists; a removed node is not edited."""
        return self.node in self.node.flow.nodes

    def _set(self, name: str, value: JSON) -> None:
        if not self._is_alive:
            return
        if same(value, self.parameters[name].default):
            self._reset(name)
            return
        edits.set_value(self.node, name, value)
        self.committed.emit(name)

    def _reset(self, name: str) -> None:
        if name in self.node.params and self._is_alive:
            edits.reset_value(self.node, name)
            self.committed.emit(name)
        self._show(self.row(name))

    def _show(self, row: FieldRow) -> None:
        name = row.parameter.name
        row.show_value(self.value(name), name in self.node.params)

    def _on_changed(self, node: object) -> None:
        if node is self.node:
            for row in self.built_rows().values():
                self._show(row)
            self._count()

    def set_complaints(self, complaints: Mapping[str, str]) -> None:
        """Marks what the check of the flow finds wrong, by parameter."""
        self._complaints = dict(complaints)
        for name, row in self.built_rows().items():
            row.set_complaint(self._complaints.get(name, ""))

    # What is visible

    def matches(self, text: str) -> list[str]:
        """The parameters whose name contains every word of ``text``, then those whose help does."""
        words = text.lower().replace("_", " ").split()
        names, helps = [], []
        for name, parameter in self.parameters.items():
            plain = name.lower().replace("_", " ")
            if all(word in plain for word in words):
                names.append(name)
            elif all(word in plain or word in parameter.help.lower() for word in words):
                helps.append(name)
        return names + helps

    def _apply_filter(self) -> None:
        found = self.matches(self.search.text())
        if self.only_changed.isChecked():
            found = [name for name in found if name in self.node.params]
        wanted = set(found)
        essential = [name for name in self.names["essential"] if name in wanted]
        further = [name for name in found if name not in set(essential)]
        self.lists["essential"].set_names(essential)
        self.lists["further"].set_names(further)
        self.section.setVisible(bool(further))
        self.nothing.setVisible(not found and bool(self.parameters))
        self.area.verticalScrollBar().setValue(0)
        self._count()
        QTimer.singleShot(0, self, self._reveal)

    def _count(self) -> None:
        changed = sum(name in self.node.params for name in self.parameters)
        self.only_changed.setText(f"Changed {changed}" if changed else "Changed")
        self.section.setText(f"ALL SETTINGS · {len(self.lists['further'].names)}")

    def _reveal(self) -> None:
        viewport = self.area.viewport()
        self._fill_with_code(viewport.height())
        for fields in self.lists.values():
            fields.reveal(visible_part(fields, viewport))

    def _fill_with_code(self, height: int) -> None:
        """Gives code the height that the other fields leave."""
        others = [name for name in self.parameters if self.parameters[name].widget != "code"]
        for name in self.names["essential"]:
            if self.parameters[name].widget == "code":
                room = height - sum(map(self._estimate, others)) - 60
                self.row(name).set_editor_height(max(room, CODE_HEIGHT))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            QTimer.singleShot(0, self, self._reveal)
        return False

    def scroll_to(self, name: str) -> None:
        """Scrolls to the field ``name`` and gives it the focus, as when a problem is clicked."""
        self.search.clear()
        self.only_changed.setChecked(False)
        row = self.row(name)
        row.parentWidget().layout_now()
        top = row.parentWidget().mapTo(self.area.widget(), QPoint(0, row.y())).y()
        self.area.verticalScrollBar().setValue(max(top - 40, 0))
        self._reveal()
        if row.editor is not None:
            row.editor.input().setFocus()
