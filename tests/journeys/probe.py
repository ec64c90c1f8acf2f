"""Starts a command with a window in this process, and answers where things are on the screen, and what they say.

xdotool moves the mouse and presses keys, but is blind. Questions come on standard input and answers go to standard
output, as JSON in lines. The answers change nothing, but for :func:`drop`, since xdotool cannot drop files, and
:func:`field`, which scrolls.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Any, Final

from PySide6.QtCore import QMimeData, QModelIndex, QObject, QPoint, QPointF, Qt, QUrl, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QMenuBar,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
    QWidget,
)

MARK: Final = "probe: "
Spot = tuple[int, int]
"""A place in pixels of the screen."""
Found = tuple[str, Callable[[], QPoint], QWidget]
"""A text, where it is in a widget, and the widget."""


# What is written in the windows


def _fronts() -> list[QWidget]:
    """What takes clicks: a menu or a dialog alone, or else all windows, the active one first."""
    alone = QApplication.activePopupWidget() or QApplication.activeModalWidget()
    if alone is not None:
        return [alone]
    windows = [one for one in QApplication.topLevelWidgets() if one.isVisible()]
    return sorted(windows, key=lambda one: not one.isActiveWindow())


def _shown(front: QWidget) -> Iterator[QWidget]:
    yield front
    for widget in front.findChildren(QWidget):
        if widget.isVisible() and not widget.visibleRegion().isEmpty() and widget.window() is front.window():
            yield widget


def _texts_of(widget: QWidget) -> Iterator[Found]:
    """The texts of one widget, with their places."""
    if isinstance(widget, QAbstractButton):
        yield widget.text() or widget.accessibleName() or widget.toolTip(), lambda: widget.rect().center(), widget
    elif isinstance(widget, QTabBar):
        for tab in range(widget.count()):
            yield widget.tabText(tab), lambda tab=tab: widget.tabRect(tab).center(), widget
    elif isinstance(widget, QMenu | QMenuBar):
        for action in widget.actions():
            yield action.text(), lambda action=action: widget.actionGeometry(action).center(), widget
    elif isinstance(widget, QAbstractItemView):
        yield from _rows_of(widget)
    elif isinstance(widget, QLabel):
        yield widget.text(), lambda: widget.rect().center(), widget
    elif isinstance(widget, QPlainTextEdit | QTextEdit):
        yield widget.toPlainText() or widget.placeholderText(), lambda: widget.rect().center(), widget
    elif isinstance(widget, QLineEdit):
        yield widget.text() or widget.placeholderText(), lambda: widget.rect().center(), widget


def _rows_of(view: QAbstractItemView, parent: QModelIndex | None = None) -> Iterator[Found]:
    model = view.model()
    below = parent or view.rootIndex()
    for row in range(model.rowCount(below) if model is not None else 0):
        for column in range(1 if isinstance(view, QListView) else model.columnCount(below)):  # a list hides its one
            index = model.index(row, column, below)
            text = str(index.data(Qt.ItemDataRole.DisplayRole) or "")
            yield text, lambda index=index: _scrolled_to(view, index), view.viewport()
        yield from _rows_of(view, model.index(row, 0, below))


def _scrolled_to(view: QAbstractItemView, index: QModelIndex) -> QPoint:
    view.scrollTo(index)
    return view.visualRect(index).center()


def _found() -> Iterator[Found]:
    for front in _fronts():
        for widget in _shown(front):
            for text, place, where in _texts_of(widget):
                if text:
                    yield text.replace("&", ""), place, where


def text(wanted: str) -> Spot | None:
    """Where a button, a tab, an entry of a menu or a list, a label or a field says ``wanted``, or begins with it."""
    found = list(_found())
    exact = [one for one in found if one[0] == wanted]
    for _, place, widget in exact or [one for one in found if one[0].startswith(wanted)]:
        return _spot(widget, place())
    return None


def texts() -> list[str]:
    """Everything that is written in the windows that take clicks."""
    return [found[0] for found in _found()]


def windows() -> list[str]:
    """The titles of the windows that are shown."""
    return [one.windowTitle() for one in QApplication.topLevelWidgets() if one.isVisible()]


def listening() -> bool:
    """Whether keys go to a field, and to that of a dialog where there is one, which is a moment after it is shown."""
    widget = QApplication.focusWidget()
    alone = QApplication.activePopupWidget() or QApplication.activeModalWidget()
    return widget is not None and (widget.isActiveWindow() if alone is None else widget.window() == alone)


def focus() -> str:
    """The text of the field that takes keys."""
    widget = QApplication.focusWidget()
    return widget.text() if isinstance(widget, QLineEdit) else ""


def _spot(widget: QWidget, point: QPoint) -> Spot:
    place = widget.mapToGlobal(point)
    return place.x(), place.y()


def arrow(number: int) -> Spot | None:
    """Where the arrow is of a box with choices, counted from the top and the left of the front window."""
    boxes = [one for one in _shown(_fronts()[0]) if isinstance(one, QComboBox)]
    if number >= len(boxes):
        return None
    box = sorted(boxes, key=lambda one: one.mapToGlobal(QPoint()).toTuple()[::-1])[number]
    return _spot(box, QPoint(box.width() - 10, box.height() // 2))


# The editor


def _shell() -> Any:
    found = [shell for one in QApplication.topLevelWidgets() if (shell := getattr(one, "llm_shell", None)) is not None]
    return found[0] if found else None


def _node(name: str) -> Any:
    nodes = _shell().flows.current_flow().nodes
    return next(node for node in nodes if name in (node.name, type(node).__name__, node.title))


def _on_canvas(place: QPointF) -> Spot:
    view = _shell().flows.current_view()
    return _spot(view.viewport(), view.mapFromScene(place))


def ready() -> bool:
    """Whether a window is there, is active, and has done what it does at its start."""
    return QApplication.activeWindow() is not None


def node(name: str) -> Spot:
    """Where the title of a node is."""
    item = _node(name).gui.item
    return _on_canvas(item.mapToScene(item.boundingRect().topLeft() + QPointF(60, 14)))


def pin(name: str, port: str, side: str) -> Spot:
    """Where a pin is: of the node ``name``, its ``port``, at the ``side`` in or out."""
    one = _node(name)
    declared, items = (one.out_ports, one.gui.item.outputs) if side == "out" else (one.in_ports, one.gui.item.inputs)
    return _on_canvas(items[[each.name for each in declared].index(port)].pin.get_scene_center_pos())


def canvas(x: int, y: int) -> Spot:
    """A place on the canvas."""
    return _spot(_shell().flows.current_view().viewport(), QPoint(x, y))


def field(name: str, parameter: str) -> Spot:
    """Where the field of a parameter is, in the inspector of a node that is selected."""
    shell = _shell()
    form = shell.flows.inspectors[shell.flows.current_flow()].panel(_node(name)).form
    form.scroll_to(parameter)
    QApplication.processEvents()
    return _spot(form.row(parameter).editor.input(), form.row(parameter).editor.input().rect().center())


def nodes() -> list[tuple[str, str, dict[str, Any]]]:
    """The nodes of the flow in front: class, name, parameters that were set."""
    return [(type(one).__name__, one.name, dict(one.params)) for one in _shell().flows.current_flow().nodes]


def stages() -> dict[str, tuple[str, int, int]]:
    """The stages of the flow in front: state, steps that are done, steps in all."""
    state = _shell().flows.current_state()
    return {name: (str(one.state), one.done, one.total) for name, one in state.model.stages.items()}


def state(name: str) -> str:
    """The state that a node shows."""
    return str(_shell().flows.current_state().state(_node(name)).word)


def running() -> bool:
    """Whether a flow runs."""
    return bool(_shell().runs.running)


def status() -> str:
    """What the end of the toolbar says."""
    return str(_shell().toolbar.status.text())


def log() -> str:
    """The lines of the log."""
    from ryven_llm_nodes.gui.log.view import LogView

    return "\n".join(one.page.toPlainText() for one in _shell().window.findChildren(LogView))


def clipboard() -> str:
    """The text of the clipboard."""
    return QApplication.clipboard().text()


def drop(x: int, y: int, *paths: str) -> bool:
    """Drops files at a place of the screen by the events that Qt makes of a real drop; whether they were accepted."""
    target = QApplication.widgetAt(x, y)
    while target is not None and not target.acceptDrops():
        target = target.parentWidget()
    if target is None:
        return False
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(path) for path in paths])
    place = target.mapFromGlobal(QPoint(x, y))
    how = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter, dropped = QDragEnterEvent(place, *how), QDropEvent(QPointF(place), *how)
    for event in (enter, QDragMoveEvent(place, *how), dropped):
        QApplication.sendEvent(target, event)
    return enter.isAccepted() and dropped.isAccepted()


QUESTIONS: Final = {
    one.__name__: one
    for one in (
        text, texts, windows, listening, focus, arrow, ready, node, pin, canvas, field, nodes, stages, running, state,
        status, log, clipboard, drop,
    )
}  # fmt: skip


# The other end


class Questions(QObject):
    """Questions come in a thread, and are answered in the one that owns the windows."""

    asked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.asked.connect(self._answer, Qt.ConnectionType.QueuedConnection)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self.asked.emit(line)

    def _answer(self, line: str) -> None:
        name, *arguments = json.loads(line)
        try:
            said = {"value": QUESTIONS[name](*arguments)}
        except Exception as error:
            said = {"error": f"{name}{tuple(arguments)}: {error!r}"}
        os.write(1, f"\n{MARK}{json.dumps(said)}\n".encode())  # in one write: threads print, too


def main() -> None:
    """The command line: a command of an installed package, and its arguments."""
    questions = Questions()
    del sys.argv[0]
    (command,) = entry_points(group="console_scripts", name=sys.argv[0])
    status = command.load()()
    del questions
    sys.exit(status)


if __name__ == "__main__":
    main()
