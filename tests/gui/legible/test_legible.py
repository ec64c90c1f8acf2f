"""All windows can be read: at three sizes, three scales and in both schemes, each text as it is painted.

The sizes are device-independent: a screen of 3840 x 2160 pixels at scale 2 is one of 1920 x 1080.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from legibility import faults, faults_of_least, faults_of_opening
from qtpy.QtCore import Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QTabBar,
    QVBoxLayout,
    QWidget,
)
from rotation import turn
from window_processes import SCHEMES, measured
from window_scenes import SCENES

from ryven_llm_nodes import gui

GUI = Path(gui.__file__).parent
SIZES: Final = ((1280, 720), (1920, 1080), (3840, 2160))
SCALES: Final = (1.0, 1.5, 2.0)
WINDOWS: Final = {"QDialog", "QMainWindow", "QDockWidget", "QMessageBox", "QWizard", "QErrorMessage", "QProgressDialog"}
"""The classes of Qt that make a window of their own, where they are subclassed or called."""


CASES = list(product(SCALES, SCHEMES, SIZES))


@pytest.mark.parametrize(("scale", "scheme", "size"), turn(CASES, 9))
def test_every_window_can_be_read(scale: float, scheme: str, size: tuple[int, int], tmp_path: Path) -> None:
    told = measured(tmp_path, size, scale, scheme)
    assert told["screen"] == [*size, scale]
    assert told["scheme"] == scheme
    assert min(told["texts"].values()) > 5, "a window without texts was not measured"
    assert set(told["texts"]) == set(SCENES)
    assert {name: found for name, found in told["faults"].items() if found} == {}


def test_every_window_is_measured() -> None:
    """By the source: a module that makes a window and that no scene covers fails here, and so does one that is gone."""
    making = {".".join(file.relative_to(GUI).with_suffix("").parts) for file in GUI.rglob("*.py") if windows_of(file)}
    assert {module for scene in SCENES.values() for module in scene.covers} == making


def windows_of(file: Path) -> set[str]:
    """The classes of windows that a module subclasses, or makes an object of."""
    return set(_windows_in(file.read_text(encoding="utf-8")))


def _windows_in(source: str) -> Iterator[str]:
    for item in ast.walk(ast.parse(source)):
        used = item.bases if isinstance(item, ast.ClassDef) else [item.func] if isinstance(item, ast.Call) else []
        yield from (name for one in used if (name := getattr(one, "id", getattr(one, "attr", ""))) in WINDOWS)


def test_a_window_is_found_however_it_is_made() -> None:
    source = (
        "class A(QDialog): ...\nQMessageBox(1)\nQtWidgets.QDockWidget('x')\nQMessageBox.warning(1)\nQLabel('QDialog')"
    )
    assert list(_windows_in(source)) == ["QDialog", "QMessageBox", "QDockWidget"]


# What is wrong is found: one widget a fault


@pytest.fixture(autouse=True)
def plain(qapp: QApplication) -> Iterator[None]:
    """No theme: one that an editor gave to the application before would colour items and tabs here, too."""
    style, colours = qapp.styleSheet(), qapp.palette()
    qapp.setStyleSheet("")
    qapp.setPalette(qapp.style().standardPalette())
    yield
    qapp.setStyleSheet(style)
    qapp.setPalette(colours)


def shown(widget: QWidget, qtbot: Any, style: str = "") -> list[str]:
    """The faults of a dialog with ``widget``, black on white but for its ``style``."""
    dialog = QDialog()
    qtbot.addWidget(dialog)
    dialog.setStyleSheet(f"* {{ background: #ffffff; color: #000000; font-size: 12px }} {style}")
    QVBoxLayout(dialog).addWidget(widget)
    dialog.resize(300, 100)
    dialog.show()
    qtbot.waitExposed(dialog)
    found = list(faults(dialog, texts := []))
    assert texts, "nothing was measured"
    return found


def test_what_can_be_read_is_no_fault(qtbot: Any) -> None:
    assert shown(QLabel("plain"), qtbot) == []
    assert shown(QLabel("two lines\nof text"), qtbot) == []
    assert shown(QLabel("muted"), qtbot, "QLabel { color: #767676 }") == []


def test_small_text(qtbot: Any) -> None:
    assert shown(QLabel("small"), qtbot, "QLabel { font-size: 10px }") == ["QLabel: 'small' has 10.0 pixels"]
    assert shown(QLabel("large enough"), qtbot, "QLabel { font-size: 11px }") == []


def test_faint_text(qtbot: Any) -> None:
    (fault,) = shown(QLabel("faint"), qtbot, "QLabel { color: #777777 }")
    assert fault == "QLabel: 'faint' has a contrast of 4.5: #777777 on #ffffff"
    (fault,) = shown(QLabel("faint"), qtbot, "QLabel { color: rgba(0, 0, 0, 100) }")
    assert "has a contrast of 2." in fault


def test_text_that_was_escaped_twice(qtbot: Any) -> None:
    (fault,) = shown(QLabel("<b>got &amp;#x27;one&amp;#x27;</b>"), qtbot)
    assert fault == """QLabel: 'got &#x27;one&#x27;' was escaped twice: &#x27;"""


def test_what_is_inactive_may_be_faint(qtbot: Any) -> None:
    button = QPushButton("inactive", enabled=False)
    assert shown(button, qtbot, "QPushButton { color: #999999 }") == []


def test_text_that_is_cut(qtbot: Any) -> None:
    for label in (QLabel("much longer than its room", maximumWidth=40), QLabel("high", maximumHeight=6)):
        (fault,) = shown(label, qtbot)
        assert "is cut off" in fault


def test_a_label_that_has_just_grown_is_measured_with_its_room(qtbot: Any) -> None:
    dialog, label = QDialog(), QLabel("9 %")
    qtbot.addWidget(dialog)
    dialog.setStyleSheet("* { background: #ffffff; color: #000000; font-size: 12px }")
    row = QHBoxLayout(dialog)
    row.addWidget(label)
    row.addStretch(1)
    dialog.resize(300, 100)
    dialog.show()
    qtbot.waitExposed(dialog)
    label.setText("100 % of what there is")
    assert list(faults(dialog, [])) == []


class Short(QLabel):
    """Shortens its text, as a user of QFontMetrics does."""

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft, "longer tha…")
        painter.end()


def test_shortened_text_needs_a_tooltip(qtbot: Any) -> None:
    assert shown(Short("longer than that"), qtbot) == ["Short: 'longer tha…' is shortened, without a tooltip"]
    assert shown(Short("longer than that", toolTip="longer than that"), qtbot) == []


def test_tooltips_of_items_and_tabs_count(qtbot: Any) -> None:
    tabs = QTabBar()
    for text in ("one … of many", "other … of many"):
        tabs.addTab(text)
    tabs.setTabToolTip(0, "one of many")
    assert shown(tabs, qtbot) == ["QTabBar: 'other … of many' is shortened, without a tooltip"]


def test_text_that_is_covered(qtbot: Any) -> None:
    label = QLabel("below")
    cover = QWidget(label)
    cover.setStyleSheet("background: #ffffff")
    cover.setGeometry(0, 0, 300, 50)
    assert shown(label, qtbot) == ["QLabel: 'below' is covered"]


def test_neighbours_that_overlap(qtbot: Any) -> None:
    pair = QWidget()
    column = QVBoxLayout(pair)
    column.addWidget(QLabel("first"))
    column.addWidget(QLabel("second", minimumHeight=30))
    pair.setFixedHeight(20)
    assert any("overlaps" in fault or "lies beyond" in fault for fault in shown(pair, qtbot))


def test_lists_that_scroll_may_end_within_a_line(qtbot: Any) -> None:
    rows = QListWidget()
    rows.addItems([f"row {number}" for number in range(40)])
    assert shown(rows, qtbot) == []
    rows = QListWidget(verticalScrollBarPolicy=Qt.ScrollBarPolicy.ScrollBarAlwaysOff, maximumHeight=12)
    rows.addItem("one row, and no bar")
    assert any("is cut off" in fault for fault in shown(rows, qtbot, "QListWidget::item { min-height: 30px }"))


def test_a_window_that_its_screen_has_no_room_for(qtbot: Any) -> None:
    dialog = QDialog()
    qtbot.addWidget(dialog)
    room = dialog.screen().availableSize()
    dialog.resize(300, 200)
    assert [*faults_of_opening(dialog), *faults_of_least(dialog)] == []
    dialog.resize(room.width(), room.height())
    assert "opens with" in next(faults_of_opening(dialog))
    dialog.setMinimumHeight(690)
    assert "x 690, a small screen 1280 x 720" in next(faults_of_least(dialog))
