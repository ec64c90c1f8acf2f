"""What a stage shows on the canvas: its state, its progress, and its main curve. Painted directly."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QFont, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget
from ryven.gui_env import NodeMainWidget

from ryven_llm_nodes.gui.canvas.sparkline import Point, paint_sparkline
from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.gui.state.stage_run import StageRun
from ryven_llm_nodes.gui.style.colours import ACCENT, BRIGHT, GRID, MUTED, TEXT, WELL
from ryven_llm_nodes.gui.style.fonts import readable
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run.states import RunState
from ryven_llm_nodes.run.store.decisions import Decision

WIDTH: Final = 240
HEIGHT: Final = 112
REDRAW_MS: Final = 100
"""At most ten redraws a second: each costs a redraw of everything around it on the canvas."""

FINISHED: Final = (RunState.DONE, RunState.REUSED, RunState.STALE)
CHANGED: Final = "has changed"
"""Why a stage that has run before needs attention."""


def main_curve(curves: Sequence[str], stage: StageRun | None) -> tuple[str, list[Point]]:
    """Name and points of the main curve: the first of ``curves`` that has points."""
    metrics = stage.metrics if stage else {}
    name = next((metric for metric in curves if metrics.get(metric)), curves[0])
    return name, list(metrics.get(name, ()))


def headline(state: RunState, stage: StageRun | None, resumes: Decision | None = None) -> tuple[str, str]:
    """The texts left and right above the curve: the state and the step; the remaining time.

    ``resumes`` tells where the next run would resume it.
    """
    if resumes and state == RunState.RESUMABLE:
        return state.word, f"from {resumes.place}"
    if resumes and state == RunState.FAILED:
        return state.word, f"{RunState.RESUMABLE.word} from step {resumes.step}"
    if state == RunState.STALE:
        return state.word, CHANGED
    if stage is None or not stage.total:
        return state.word, ""
    if state == RunState.RUNNING:
        left = stage.seconds_left
        return f"{state.word}  {stage.done} / {stage.total}", f"{duration(left)} left" if left is not None else ""
    kept = "ended at " if stage.kept_early else ""
    return state.word, f"{kept}{stage.done} / {stage.total} steps"


def shorter(text: str) -> list[str]:
    """``text`` of a headline, and the same in fewer words, for a canvas that is zoomed out."""
    without_total = re.sub(r" of \d+$", "", text)
    return [text, without_total, re.sub(r"^(can resume )?from step", "from", without_total)]


def status_line(stage: StageRun, ending: bool) -> str:
    """What the toolbar says of a running stage, which may be ``ending`` early."""
    if ending:
        return f"ending {stage.step} after this step ..."
    left, right = headline(RunState.RUNNING, stage)
    return f"{stage.step}: {left}{f'  ·  {right}' if right else ''}"


class TrainerWidget(NodeMainWidget, QWidget):
    """The body of a stage. Has no widgets of its own, which would each be costly on the canvas."""

    def __init__(self, params: Any) -> None:
        NodeMainWidget.__init__(self, params)
        QWidget.__init__(self)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setFixedSize(WIDTH, HEIGHT)
        self.redraws = 0
        self._painted: tuple[object, ...] = ()
        self._later = QTimer(self, interval=REDRAW_MS, singleShot=True)
        self._later.timeout.connect(self.update)
        self.flow_state = flow_state(self.node.flow)
        self.flow_state.changed.connect(self.refresh)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, HEIGHT)

    def refresh(self) -> None:
        """Redraws a moment later, together with all other changes until then, if something about its stage changed."""
        if not self._later.isActive() and self._facts() != self._painted:
            self._later.start()

    def _facts(self) -> tuple[object, ...]:
        """What the picture is made of; that of a running stage also changes with its time left."""
        state, stage = self.flow_state.state(self.node), self.flow_state.stage(self.node)
        resumes = self.flow_state.resumes.get(self.node)
        points = sum(map(len, stage.metrics.values())) if stage else 0
        steps = (stage.done, stage.total, stage.kept_early) if stage else ()
        is_live = state == RunState.RUNNING and time.monotonic()
        return state, points, steps, resumes, self.node.remark(self.node.params), is_live

    def paintEvent(self, event: QPaintEvent) -> None:
        self.redraws += 1
        self._painted = self._facts()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        state, stage = self.flow_state.state(self.node), self.flow_state.stage(self.node)
        scale = self.node.gui.flow_view().transform().m11()
        resumes = self.flow_state.resumes.get(self.node)
        _paint_headline(painter, QRectF(8, 0, WIDTH - 16, 20), state, headline(state, stage, resumes), scale)
        if self.node.curves:
            _paint_curve(painter, QRectF(8, 24, WIDTH - 16, 68), *main_curve(self.node.curves, stage), scale)
        _paint_remark(painter, QRectF(14, 74, WIDTH - 28, 15), self.node.remark(self.node.params), scale)
        _paint_bar(painter, QRectF(8, 98, WIDTH - 16, 6), state, _share(state, stage, resumes))
        painter.end()


def _font(pixels: int, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    font = QFont("Poppins")
    font.setPixelSize(pixels)
    font.setWeight(weight)
    return font


_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def _text(painter: QPainter, rect: QRectF, where: Any, text: str, pixels: int, colour: str, scale: float) -> float:
    """Draws ``text``, at least as large as can be read, where it has room; returns the width that it takes."""
    size = readable(pixels, scale)
    painter.setFont(_font(size or pixels))
    width = painter.fontMetrics().horizontalAdvance(text)
    if not size or width > rect.width():
        return 0.0
    painter.setPen(QColor(colour))
    painter.drawText(rect, where, text)
    return float(width)


def _paint_headline(
    painter: QPainter, rect: QRectF, state: RunState, texts: tuple[str, str], scale: float = 1.0
) -> None:
    colour = QColor(state_colour(state))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(QPointF(rect.left() + 5, rect.center().y()), 4, 4)
    left, right = texts[0], shorter(texts[1])
    ink = TEXT if state == RunState.READY else state_colour(state)
    used = _text(painter, rect.adjusted(15, 0, 0, 0), _LEFT, left, 12, ink, scale)
    room = rect.adjusted(15 + used + 8, 0, 0, 0)
    any(_text(painter, room, _RIGHT, one, 11, MUTED, scale) for one in right)  # the first that has room


def _paint_curve(painter: QPainter, rect: QRectF, name: str, points: list[Point], scale: float = 1.0) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(WELL))
    painter.drawRoundedRect(rect, 5, 5)
    painter.setPen(QColor(GRID))
    for share in (1, 2, 3):
        y = rect.top() + rect.height() * share / 4
        painter.drawLine(QPointF(rect.left() + 1, y), QPointF(rect.right() - 1, y))
    paint_sparkline(painter, rect.adjusted(3, 16, -3, 0), points, QColor(ACCENT))
    text = rect.adjusted(7, 2, -7, 0)
    text.setHeight(16)
    used = _text(painter, text, _LEFT, name, 11, MUTED, scale)
    if points:
        _text(painter, text.adjusted(used + 8, 0, 0, 0), _RIGHT, f"{points[-1][1]:.4g}", 11, BRIGHT, scale)


def _paint_remark(painter: QPainter, rect: QRectF, text: str, scale: float = 1.0) -> None:
    """In the corner of the curve, which stays visible next to it."""
    size = readable(11, scale)
    if text and size:
        painter.setFont(_font(size))
        ground = QRectF(rect)
        ground.setWidth(painter.fontMetrics().horizontalAdvance(text) + 8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(WELL))
        painter.drawRoundedRect(ground, 3, 3)
        painter.setPen(QColor(TEXT))
        painter.drawText(ground, Qt.AlignmentFlag.AlignCenter, text)


def _share(state: RunState, stage: StageRun | None, resumes: Decision | None) -> float:
    """How much of the training is done."""
    if resumes and state == RunState.RESUMABLE:
        return resumes.step / resumes.total if resumes.total else 0.0
    return stage.done / stage.total if stage and stage.total else float(state in FINISHED)


def _paint_bar(painter: QPainter, rect: QRectF, state: RunState, share: float) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(WELL))
    painter.drawRoundedRect(rect, 3, 3)
    if share > 0:
        filled = QRectF(rect)
        filled.setWidth(max(rect.width() * min(share, 1.0), 6))
        painter.setBrush(QColor(state_colour(state)))
        painter.drawRoundedRect(filled, 3, 3)
