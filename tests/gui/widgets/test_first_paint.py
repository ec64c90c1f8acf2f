"""What waits until a window was painted."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.gui.widgets.first_paint import first_paint


class Painted(QWidget):
    """A window with a child, each of which notes that it was painted."""

    def __init__(self, notes: list[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._notes = notes

    def paintEvent(self, event: Any) -> None:
        self._notes.append("child" if self.parent() else "window")


def test_comes_after_the_window_and_all_that_is_in_it(qtbot: Any) -> None:
    notes: list[str] = []
    window = Painted(notes)
    Painted(notes, window).resize(20, 20)
    qtbot.addWidget(window)
    first_paint(window).then(lambda: notes.append("then"))
    assert notes == []
    window.show()
    qtbot.waitUntil(lambda: "then" in notes)
    assert notes == ["window", "child", "then"]
    first_paint(window).then(lambda: notes.append("at once"))
    assert notes[-1] == "at once"


def test_a_window_that_is_there_already_was_painted(qtbot: Any) -> None:
    window, notes = QWidget(), []
    qtbot.addWidget(window)
    window.show()
    qtbot.wait(50)
    child = QWidget(window)
    first_paint(child).then(lambda: notes.append("then"))
    qtbot.waitUntil(lambda: notes == ["then"])


def test_a_window_that_is_closed_at_once_has_nothing_to_do(qtbot: Any) -> None:
    window, notes = QWidget(), []
    qtbot.addWidget(window)
    first_paint(window).then(lambda: notes.append("then"))
    window.show()
    qtbot.waitExposed(window)
    window.close()
    qtbot.wait(100)
    assert notes == []
    window.show()
    qtbot.waitUntil(lambda: notes == ["then"])
