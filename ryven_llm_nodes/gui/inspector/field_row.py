"""One parameter in a form: its name, an editor, a mark if it differs from the default, its problem, its help."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QContextMenuEvent, QPainter, QPaintEvent, QPalette
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.errors import one_line
from ryven_llm_nodes.gui.inspector.editors import CodeEditor, Editor, FlagEditor, make_editor
from ryven_llm_nodes.gui.inspector.field_values import default_text, editor_kind
from ryven_llm_nodes.gui.style.colours import ACCENT, BAD, MUTED, TEXT
from ryven_llm_nodes.gui.style.icons import icon
from ryven_llm_nodes.gui.style.rich_text import escape

BAR = 3
Root = Callable[[], Path | None]


class FieldRow(QWidget):
    """A field. ``edited`` carries the name and the new value, ``reset`` the name.

    The help is a tooltip, and a line below while the field has the focus.
    """

    edited = Signal(str, object)
    reset = Signal(str)
    window_wanted = Signal(str)
    """Its code is to be edited in a window: the name."""
    vary_wanted = Signal(str)
    """It is to be varied in a sweep: the name."""

    def __init__(self, parameter: Parameter, root: Root = lambda: None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.parameter, self._root = parameter, root
        self.is_changed = False
        self.problem = ""
        self._complaint = ""
        self.editor: Editor | None = None
        self.kind = ""
        self._notes: dict[str, QLabel] = {}
        self._reset_button: QToolButton | None = None
        self.name = QLabel(parameter.label or parameter.name, self)
        self._build()

    def _build(self) -> None:
        self.name.setProperty("role", "name")
        self.hint = _Hint(self._hint_text(), self)
        self.setToolTip(self._tooltip())
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(10, 3, 2, 4)
        self._column.setSpacing(2)
        self._head = QHBoxLayout()
        self._head.setSpacing(6)
        self._head.addWidget(self.name)
        self._head.addWidget(self.hint, 1)
        if self.parameter.gallery:
            self._head.addWidget(self._gallery_button())
        if self.parameter.widget == "code":
            self._head.addWidget(self._window_button())
        self._column.addLayout(self._head)

    def _gallery_button(self) -> QToolButton:
        """Texts to start from; the one that is chosen replaces the value, which undo brings back."""
        button = QToolButton(self, text="Start from", popupMode=QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setObjectName("gallery")
        menu = QMenu(button)
        for name, text in self.parameter.gallery.items():
            menu.addAction(name, lambda text=text: self.edited.emit(self.parameter.name, text))
        button.setMenu(menu)
        return button

    def _window_button(self) -> QToolButton:
        button = QToolButton(self, icon=icon("window", TEXT), toolTip="Edit this code in a window of its own")
        button.setObjectName("window")
        button.setAccessibleName("edit in a window")
        button.clicked.connect(self._want_window)
        return button

    def _want_window(self) -> None:
        self.flush()
        self.window_wanted.emit(self.parameter.name)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        if self.parameter.outcome and self.parameter.widget != "code":
            menu.addAction("Vary in a Sweep...", lambda: self.vary_wanted.emit(self.parameter.name))
        menu.addAction("Back to the Default", self._on_reset).setEnabled(self.is_changed)
        menu.exec(event.globalPos())

    def _hint_text(self) -> str:
        return f"usually {self.parameter.typical}" if self.parameter.typical else ""

    def _tooltip(self) -> str:
        usual = f"<br>Usually {escape(self.parameter.typical)}." if self.parameter.typical else ""
        help_text = escape(plain_help(self.parameter.help))
        return f"<p><b>{self.parameter.name}</b><br>{help_text}{usual}<br>Default: {escape(self._default())}</p>"

    def _default(self) -> str:
        text = one_line(default_text(self.parameter))
        return text if len(text) <= 60 else text[:57] + "..."

    # The value

    def show_value(self, value: JSON, is_set: bool) -> None:
        """Shows ``value``, marks whether it was set, and what is wrong with it."""
        kind = editor_kind(self.parameter, value)
        if kind != self.kind:
            self._set_editor(kind)
        assert self.editor is not None
        self.editor.show_value(value, is_set)
        self._mark_changed(is_set)
        self._judge(value)

    def _set_editor(self, kind: str) -> None:
        had_focus = False
        if self.editor is not None:
            had_focus = self.editor.input().hasFocus()
            self._column.removeWidget(self.editor)
            self._head.removeWidget(self.editor)
            self.editor.hide()
            self.editor.deleteLater()
        self.kind, self.editor = kind, make_editor(kind, self.parameter, self._root, self)
        self._place(self.editor)
        self.editor.typed.connect(self._on_typed)
        self.editor.edited.connect(self._on_edited)
        self.editor.input().setAccessibleName(self.parameter.name)
        self.editor.input().installEventFilter(self)
        if had_focus:
            self.editor.input().setFocus()

    def _on_typed(self, value: JSON) -> None:
        self._complaint = ""  # it was about the previous value
        self._judge(value)

    def _on_edited(self, value: JSON) -> None:
        self.edited.emit(self.parameter.name, value)

    def _on_reset(self) -> None:
        self.reset.emit(self.parameter.name)

    def _place(self, editor: Editor) -> None:
        is_flag = isinstance(editor, FlagEditor)
        self.name.setVisible(not is_flag)
        if is_flag:
            self._head.insertWidget(0, editor)
        else:
            self._column.insertWidget(1, editor, 1 if self.kind == "code" else 0)
        editor.show()

    def flush(self) -> None:
        """Emits a pending edit at once."""
        if self.editor is not None:
            self.editor.flush()

    def set_editor_height(self, height: int) -> None:
        """Sets the height of the editor."""
        if self.editor is not None and self.editor.input().minimumHeight() != height:
            self.editor.input().setFixedHeight(height)
            self.updateGeometry()

    # Marks

    def _mark_changed(self, changed: bool) -> None:
        if changed and self._reset_button is None:
            self._make_reset_button()
        if self._reset_button is not None:
            self._reset_button.setVisible(changed)
        if changed != self.is_changed:
            self.is_changed = changed
            self.name.setProperty("changed", changed)
            if self.name.testAttribute(Qt.WidgetAttribute.WA_WState_Polished):
                self.name.style().polish(self.name)
            self.update()

    def _make_reset_button(self) -> None:
        button = QToolButton(self, text="↺")
        button.setProperty("role", "flat")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setToolTip(f"Back to the default: {self._default()}")
        button.clicked.connect(self._on_reset)
        self._head.addWidget(button)
        self._reset_button = button

    @property
    def reset_button(self) -> QToolButton | None:
        """The button that resets the value, if it was set."""
        return self._reset_button if self.is_changed else None

    def set_complaint(self, message: str) -> None:
        """Shows what the check of the flow finds wrong here, beyond type and range."""
        self._complaint = message
        self._show_problem()

    def _judge(self, value: JSON) -> None:
        unset = not self.is_changed and value is self.parameter.default
        self.problem = "" if unset and not self.parameter.required else (self.parameter.problem(value) or "")
        self._show_problem()

    def _show_problem(self) -> None:
        text = self.problem or self._complaint
        if self.editor is not None:
            self.editor.set_bad(bool(text))
        if isinstance(self.editor, CodeEditor):
            self.editor.mark_lines(text)
        self._note("bad", text)
        self.update()

    def _note(self, role: str, text: str) -> None:
        """A line below the editor: created when first needed, hidden while empty."""
        label = self._notes.get(role)
        if label is None and text:
            label = self._notes[role] = QLabel(self, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
            label.setProperty("role", role)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
            self._column.insertWidget(self._column.count() if role == "muted" else 2, label)
        if label is not None and (label.text() != text or label.isHidden() == bool(text)):
            label.setText(text)
            label.setVisible(bool(text))
            self.updateGeometry()

    @property
    def problem_text(self) -> str:
        """The reason that is shown below the editor, or nothing."""
        label = self._notes.get("bad")
        return label.text() if label is not None and not label.isHidden() else ""

    # The focus shows the help

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusIn:
            self._note("muted", first_sentences(self.parameter.help))
        elif event.type() == QEvent.Type.FocusOut:
            QTimer.singleShot(0, self, self._leave)
        return False

    def _leave(self) -> None:
        if self.editor is not None and not self.editor.input().hasFocus():
            self._note("muted", "")

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.is_changed or self.problem_text:
            painter = QPainter(self)
            colour = QColor(BAD if self.problem_text else ACCENT)
            painter.fillRect(0, 5, BAR, self.height() - 9, colour)
            painter.end()

    def wanted_height(self, width: int) -> int:
        """The height that the row needs at ``width``."""
        return self._column.totalHeightForWidth(width) if self._column.hasHeightForWidth() else self.sizeHint().height()


class _Hint(QLabel):
    """Greyed text that is elided where there is no room."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(MUTED))
        self.setPalette(palette)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        font = self.font()
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(MUTED))
        text = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect(), align, text)
        painter.end()


def plain_help(text: str) -> str:
    """Help as plain text: without Markdown links and the repeated prefix of a deprecated field."""
    return one_line(re.sub(r"\[([^\]]+)\]\((?:[^()]|\([^)]*\))*\)", r"\1", text))


def first_sentences(text: str, limit: int = 170) -> str:
    """As many full sentences of a help text as fit, at least the beginning of the first."""
    words = plain_help(text)
    if len(words) <= limit:
        return words
    end = words.rfind(". ", 0, limit)
    return words[: end + 1] if end > 40 else words[: limit - 1].rsplit(" ", 1)[0] + "…"
