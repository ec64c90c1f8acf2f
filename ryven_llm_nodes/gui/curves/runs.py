"""How runs that are shown in one plot are told apart: each has its own colour, and its own dashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from ryven_llm_nodes.gui.curves.series import Curve, Series
from ryven_llm_nodes.gui.style.colours import RUN_COLOURS
from ryven_llm_nodes.gui.widgets.weak_calls import weakly
from ryven_llm_nodes.run.records.history import PastRun

STROKES: Final[tuple[tuple[float, ...], ...]] = (
    (),
    (7, 3),
    (2, 2),
    (9, 3, 2, 3),
    (15, 4),
    (5, 2, 1.5, 2, 1.5, 2),
    (4, 6),
    (14, 3, 3, 3, 3, 3),
)
"""Solid, then dashes of different lengths, in widths of the line: enough without any colour."""
LONGEST: Final = 44
SWATCH: Final = QSize(34, 16)


@dataclass(frozen=True)
class RunStyle:
    """The colour and the dashes of a run."""

    colour: str
    stroke: tuple[float, ...]


STYLES: Final = tuple(map(RunStyle, RUN_COLOURS, STROKES))
"""Of runs next to each other."""
OVER: Final = (RunStyle(RUN_COLOURS[0], (12, 3, 2, 3, 2, 3)), *STYLES[1:])
"""Of runs that are drawn over another: its own curves alone are solid."""


def name_of(run: PastRun) -> str:
    """The name that its user gave a run, else its own, in few characters."""
    name = run.label.name or run.name
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."


def curve_of(label: str, style: RunStyle, points: Sequence[tuple[int, float]], dashed: bool, smooth: float) -> Curve:
    """The curve of a run in a plot of several."""
    return Curve(label, style.colour, Series(points, smooth), dashed=dashed, stroke=style.stroke)


class Swatch(QWidget):
    """A piece of the line of a run."""

    def __init__(self, style: RunStyle) -> None:
        super().__init__()
        self._style = style
        self.setFixedSize(SWATCH)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(self._style.colour), 2)
        if self._style.stroke:
            pen.setDashPattern([length * 0.8 for length in self._style.stroke])
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        line = QRectF(self.rect()).adjusted(1, 0, -1, 0)
        painter.drawLine(line.left(), line.center().y(), line.right(), line.center().y())
        painter.end()


class Entry(QWidget):
    """A run in a legend; ``removed`` signals a click on its cross."""

    removed = Signal()

    def __init__(self, text: str, style: RunStyle, tip: str = "", removable: bool = False) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 6, 0)
        row.setSpacing(5)
        self.label = QLabel(text)
        self.label.setStyleSheet(f"color: {style.colour}")
        row.addWidget(Swatch(style))
        row.addWidget(self.label)
        if removable:
            cross = QToolButton(text="✕", toolTip=f"Remove the curves of {text}")
            cross.setAccessibleName(f"remove {text}")
            cross.setProperty("role", "flat")
            cross.clicked.connect(self.removed)
            row.addWidget(cross)
        self.setToolTip(tip)


def legend_entry(run: PastRun, style: RunStyle, remove: Callable[[], object] | None = None) -> Entry:
    """The entry of ``run``."""
    entry = Entry(name_of(run), style, f"{run.name}\n{run.label.note}".strip(), remove is not None)
    if remove is not None:
        entry.removed.connect(weakly(remove))
    return entry
