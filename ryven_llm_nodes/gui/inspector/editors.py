"""The editors of a form: a line of text, a check box, a combo box, code, a path. All have the same few methods."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QKeySequence, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ryven_llm_nodes.catalogue.parameters import JSON, UNKNOWN, Parameter
from ryven_llm_nodes.gui.code.view import CodeView, lines_in
from ryven_llm_nodes.gui.inspector.field_values import as_text, choices, default_text, from_text, same, shown_choice
from ryven_llm_nodes.gui.style.colours import ACCENT, BACKGROUND, BORDER, BRIGHT, FIELD, MUTED
from ryven_llm_nodes.gui.widgets.combo import Combo

PAUSE_MS: Final = 500
CODE_HEIGHT: Final = 180


class Editor(QWidget):
    """Base of the editors. ``typed`` is emitted on every keystroke, ``edited`` when a value is committed."""

    typed = Signal(object)
    edited = Signal(object)

    def __init__(self, parameter: Parameter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.parameter = parameter

    def show_value(self, value: JSON, is_set: bool) -> None:
        """Shows ``value``; ``is_set`` is False if it is the default. Emits nothing."""
        raise NotImplementedError

    def set_bad(self, bad: bool) -> None:
        """Marks the editor as holding a wrong value."""
        set_property(self.input(), "bad", bad)

    def input(self) -> QWidget:
        """The widget that has the focus while it is edited."""
        raise NotImplementedError

    def flush(self) -> None:
        """Emits a pending edit at once."""

    def _fill(self, *widgets: QWidget) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in widgets:
            row.addWidget(widget)
        self.setFocusProxy(widgets[0])


def set_property(widget: QWidget, name: str, value: bool) -> None:
    """Sets a property that the style sheet uses, and refreshes the style."""
    if bool(widget.property(name)) != value:
        widget.setProperty(name, value)
        if widget.testAttribute(Qt.WidgetAttribute.WA_WState_Polished):
            widget.style().unpolish(widget)
            widget.style().polish(widget)


class _Line(QLineEdit):
    """A line whose undo key reaches the window if there is nothing typed to undo."""

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            undo = event.matches(QKeySequence.StandardKey.Undo) and not self.isUndoAvailable()
            redo = event.matches(QKeySequence.StandardKey.Redo) and not self.isRedoAvailable()
            if undo or redo:
                event.ignore()
                return False
        return super().event(event)


class LineEditor(Editor):
    """Any value as text: numbers stay as typed, and invalid input is kept as text."""

    def __init__(self, parameter: Parameter, parent: QWidget | None = None) -> None:
        super().__init__(parameter, parent)
        self.line = _Line(self)
        self._fill(self.line)
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self.flush)
        self._shown: JSON = UNKNOWN
        self.line.textEdited.connect(self._on_typed)
        self.line.editingFinished.connect(self.flush)

    def input(self) -> QWidget:
        return self.line

    def show_value(self, value: JSON, is_set: bool) -> None:
        self._pause.stop()
        self._shown = value
        if not (self.line.hasFocus() and same(from_text(self.parameter, self.line.text()), value)):
            self.line.setText(as_text(value))
            self.line.setCursorPosition(0)
        self.line.setPlaceholderText(self._placeholder(value))
        set_property(self.line, "unset", not is_set)

    def _placeholder(self, value: JSON) -> str:
        if value is UNKNOWN or value is None:
            return default_text(self.parameter) if value is UNKNOWN else self.parameter.empty
        return self.parameter.typical if str in self.parameter.types else ""

    def _on_typed(self, text: str) -> None:
        set_property(self.line, "unset", False)
        self.typed.emit(from_text(self.parameter, text))
        self._pause.start()

    def flush(self) -> None:
        self._pause.stop()
        value = from_text(self.parameter, self.line.text())
        untouched = self._shown is UNKNOWN and not self.line.text()
        if not untouched and not same(value, self._shown) and as_text(self._shown) != self.line.text():
            self._shown = value
            self.edited.emit(value)


class PathEditor(LineEditor):
    """A line with a button that opens a file dialog. Paths below the folder ``root`` become relative to it."""

    def __init__(
        self, parameter: Parameter, root: Callable[[], Path | None] = lambda: None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parameter, parent)
        self._root = root
        self.button = QToolButton(self, text="…", toolTip=f"Choose a {parameter.widget}")
        self.button.clicked.connect(self.choose)
        self.layout().addWidget(self.button)

    def choose(self) -> None:
        """Asks for a path and sets it."""
        root = self._root()
        start = os.path.join(root or "", self.line.text())
        start = start if os.path.exists(start) else str(root or "")
        if self.parameter.widget == "folder":
            chosen = QFileDialog.getExistingDirectory(self, "Choose a folder", start)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, "Choose a file", start)
        if chosen:
            self.line.setText(_told(Path(chosen), root))
            self.flush()


def _told(path: Path, root: Path | None) -> str:
    """``path`` relative to ``root`` if it is below it: the flow then works wherever its folder is."""
    if root is not None and path.is_relative_to(root):
        inside = path.relative_to(root).as_posix()
        return f"./{inside}" if path.is_dir() else inside
    return str(path)


class FlagEditor(Editor):
    """True or false, as a check box with the parameter's name next to it."""

    def __init__(self, parameter: Parameter, parent: QWidget | None = None) -> None:
        super().__init__(parameter, parent)
        self.box = _CheckBox(parameter.label or parameter.name, self)
        self.box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fill(self.box)
        self.box.toggled.connect(self._on_toggled)

    def _on_toggled(self, on: bool) -> None:
        self.edited.emit(on)

    def input(self) -> QWidget:
        return self.box

    def show_value(self, value: JSON, is_set: bool) -> None:
        self.box.blockSignals(True)
        self.box.setChecked(value is True)
        self.box.blockSignals(False)
        self.box.colour = BRIGHT if is_set else MUTED
        self.box.update()


class _CheckBox(QCheckBox):
    """A check box that is painted here: the window's style may have no icons for it."""

    colour = MUTED

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 28, 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(0.5, (self.height() - 15) / 2, 15, 15)
        lit = self.hasFocus() or self.underMouse() or self.isChecked()
        painter.setPen(QPen(QColor(ACCENT if lit else BORDER), 1))
        painter.setBrush(QColor(ACCENT if self.isChecked() else FIELD))
        painter.drawRoundedRect(box, 3, 3)
        if self.isChecked():
            painter.setPen(QPen(QColor(BACKGROUND), 2))
            tick = [QPointF(box.left() + x, box.top() + y) for x, y in ((3.5, 7.8), (6.4, 10.8), (11.6, 4.6))]
            painter.drawPolyline(QPolygonF(tick))
        painter.setPen(QColor(self.colour))
        painter.drawText(self.rect().adjusted(23, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()


class ChoiceEditor(Editor):
    """One of a few values, or several, typed with commas, where the parameter takes a list.

    Any other value is shown unchanged, as an additional item.
    """

    def __init__(self, parameter: Parameter, parent: QWidget | None = None) -> None:
        super().__init__(parameter, parent)
        self.box = Combo(self)
        self._values: list[JSON] = []
        self._fill(self.box)
        self.box.activated.connect(self._on_chosen)
        self.box.setEditable(list in parameter.types)
        if (line := self.box.lineEdit()) is not None:
            self.box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
            line.editingFinished.connect(lambda: self._on_typed(line.text()))

    def input(self) -> QWidget:
        return self.box

    def show_value(self, value: JSON, is_set: bool) -> None:
        known = list(choices(self.parameter))
        values = known if any(same(value, item) for item in known) else [*known, value]
        if len(values) != len(self._values) or not all(map(same, values, self._values)):
            self._values = values
            self.box.clear()
            self.box.addItems([self._label(item) for item in values])
            for i, item in enumerate(values):
                self.box.setItemData(i, self.parameter.meanings.get(str(item)), Qt.ItemDataRole.ToolTipRole)
        self.box.setCurrentIndex(next(i for i, item in enumerate(values) if same(item, value)))

    def _label(self, value: JSON) -> str:
        if value is UNKNOWN:
            return "set by the library"
        return shown_choice(value) + ("  (default)" if same(value, self.parameter.default) else "")

    def _on_typed(self, text: str) -> None:
        if text in (self.box.itemText(i) for i in range(self.box.count())):
            return  # chosen, not typed
        several = [part.strip() for part in text.split(",")]
        is_plain = len(several) > 1 and not text.lstrip().startswith("[")
        self.edited.emit(several if is_plain else from_text(self.parameter, text))

    def _on_chosen(self, index: int) -> None:
        if self._values[index] is not UNKNOWN:
            self.edited.emit(self._values[index])


class CodeEditor(Editor):
    """Several lines of Python, with suggestions; modules next to the flow file are looked up in ``root``."""

    def __init__(
        self, parameter: Parameter, root: Callable[[], Path | None] = lambda: None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parameter, parent)
        self.view = CodeView(read_only=False, parent=self, root=root if parameter.widget == "code" else None)
        self.view.setMinimumHeight(CODE_HEIGHT if parameter.widget == "code" else 90)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view)
        self.setFocusProxy(self.view)
        self.view.edited.connect(self._on_edited)
        self.view.textChanged.connect(self._on_text_changed)

    def input(self) -> QWidget:
        return self.view

    def show_value(self, value: JSON, is_set: bool) -> None:
        self.view.set_text(as_text(value))

    def _on_edited(self, text: str) -> None:
        self.edited.emit(text)

    def mark_lines(self, message: str) -> None:
        """Marks the lines that ``message`` refers to."""
        self.view.set_error_lines(lines_in(message))

    def _on_text_changed(self) -> None:
        if self.view.is_edited():
            self.typed.emit(self.view.text())

    def flush(self) -> None:
        self.view.flush()


def make_editor(kind: str, parameter: Parameter, root: Callable[[], Path | None], parent: QWidget) -> Editor:
    """An editor of ``kind`` (see :func:`~ryven_llm_nodes.gui.inspector.field_values.editor_kind`)."""
    if kind in ("file", "folder"):
        return PathEditor(parameter, root, parent)
    if kind == "code":
        return CodeEditor(parameter, root, parent)
    kinds: dict[str, type[Editor]] = {"flag": FlagEditor, "choice": ChoiceEditor}
    return kinds.get(kind, LineEditor)(parameter, parent)
