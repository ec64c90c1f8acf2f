"""One plot: curves over steps, with zoom, crosshair and export."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QContextMenuEvent,
    QHelpEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QWheelEvent,
)
from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox, QSizePolicy, QWidget

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.curves.export import as_csv, write_image
from ryven_llm_nodes.gui.curves.frame import Frame, Range, View
from ryven_llm_nodes.gui.curves.painting import GUTTER, HEADER, HIGH, WIDE, Drawn, Lines, Picture, paint
from ryven_llm_nodes.gui.curves.series import Curve, Point
from ryven_llm_nodes.program.names import identifier
from ryven_llm_nodes.system.files import write_whole

WHEEL = 0.8
"""The fraction of the visible range that remains after one notch of the wheel."""
HINT = (
    "Wheel: zoom steps (over the axis: values). Drag: move. Double-click: show all. Right-click: log scale, PNG, CSV."
)


class CurvePlot(QWidget):
    """Curves over optimizer steps, with a title and the latest value; a crosshair reads the values at a step.

    ``pointed`` carries the step under the mouse, or None when it leaves, and ``zoomed`` the steps that are shown, or
    None for all, so that several plots can show the same.
    """

    pointed = Signal(object)
    zoomed = Signal(object)

    def __init__(
        self, title: str, help: str = "", parent: QWidget | None = None, unit: str = "", scrolls: bool = False
    ) -> None:
        """``scrolls``: it is part of a long page, so the wheel zooms only with Ctrl."""
        super().__init__(parent)
        self.title, self.unit, self.scrolls = title, unit, scrolls
        self.curves: tuple[Curve, ...] = ()
        self.cursor_step: float | None = None
        self.view = View()
        self._held: QPointF | None = None
        self._lines: Lines = {}
        self.setMouseTracking(True)
        self.setToolTip(f"{help}\n{'Ctrl+' if scrolls else ''}{HINT}".lstrip("\n"))
        self.setMinimumSize(120, 56)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def sizeHint(self) -> QSize:
        return QSize(230, 110)

    def set_curves(self, curves: Sequence[Curve]) -> None:
        """Shows these curves, the earlier ones below the others, from the next :meth:`update` on."""
        self.curves = tuple(sorted(curves, key=lambda curve: not curve.earlier))

    def set_cursor_step(self, step: float | None) -> None:
        """Moves the crosshair to ``step``, or hides it."""
        if step != self.cursor_step:
            self.cursor_step = step
            self.update()

    # What is shown

    def set_view(self, view: View) -> None:
        """Shows this part of the curves."""
        if view != self.view:
            self.view = view
            self.update()

    def set_steps(self, steps: Range | None) -> None:
        """Shows these steps, or all."""
        self.set_view(replace(self.view, steps=steps))

    def set_log(self, log: bool) -> None:
        """Sets a logarithmic or linear scale. Values without a logarithm are left out."""
        self.set_view(replace(self.view, log=log, values=None))

    def show_all(self) -> None:
        """Shows all steps and all values."""
        self.set_view(View(log=self.view.log))
        self.zoomed.emit(None)

    def frame(self) -> Frame | None:
        """The coordinates; None while there is nothing to show."""
        whole, drawn = self._whole(), self._drawn()
        if whole is None:
            return None
        left, below = (GUTTER if self.width() >= WIDE else 8), (16 if self.height() >= HIGH else 6)
        box = QRectF(left, HEADER + 3, self.width() - left - 9, self.height() - HEADER - 3 - below)
        traces = [trace for line in drawn for trace in (line.raw, line.smooth) if trace is not None]
        positive = [found for trace in traces if (found := trace.range(above=0))] if self.view.log else []
        ranges = positive or [found for trace in traces if (found := trace.range())]
        if not ranges:
            return None
        first, last = self.view.steps or whole
        low, high = self.view.values or _roomy(ranges, log=bool(positive))
        return Frame(box, first, last, low, high, bool(positive))

    def _whole(self) -> Range | None:
        """The range of all steps."""
        ends = [(series.points[0][0], series.points[-1][0]) for c in self.curves if (series := c.series).points]
        return (min(first for first, _ in ends), max(last for _, last in ends)) if ends else None

    def _drawn(self) -> list[Drawn]:
        """The curves with their traces: of a part, in full detail."""
        steps = self.view.steps
        traces = [(c.series.window(*steps) if steps else (c.series.raw, c.series.smooth)) for c in self.curves]
        return [Drawn(curve, *trace) for curve, trace in zip(self.curves, traces, strict=True)]

    # Reading

    def readings(self) -> list[tuple[Curve, Point]]:
        """The points nearest to the crosshair, of every curve of the present runs."""
        if self.cursor_step is None:
            return []
        present = (curve for curve in self.curves if not curve.earlier)
        found = ((curve, curve.series.nearest(self.cursor_step)) for curve in present)
        return [(curve, point) for curve, point in found if point is not None]

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._held = event.position()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        frame, whole, place = self.frame(), self._whole(), event.position()
        if frame is None or whole is None:
            return
        if self._held is not None:
            self._take(frame.dragged(self.view, place - self._held, whole))
            self._held = place
        step = frame.step(place.x())
        self.pointed.emit(min(max(step, frame.first), frame.last))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.show_all()

    def wheelEvent(self, event: QWheelEvent) -> None:
        frame, whole, notches = self.frame(), self._whole(), event.angleDelta().y() / 120
        passes = self.scrolls and event.modifiers() != Qt.KeyboardModifier.ControlModifier
        if frame is None or whole is None or passes or not notches or event.position().y() < frame.box.top():
            event.ignore()  # scrolls the page of the plot; over the title, always
            return
        self._take(frame.zoomed(self.view, event.position(), WHEEL**notches, whole))
        event.accept()

    def _take(self, view: View) -> None:
        steps = self.view.steps
        self.set_view(view)
        if view.steps != steps:
            self.zoomed.emit(view.steps)

    def event(self, event: QEvent) -> bool:
        # over the curves there is the crosshair, not the tooltip
        if isinstance(event, QHelpEvent) and event.pos().y() > HEADER:
            return True
        return super().event(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.pointed.emit(None)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._paint(painter)
        painter.end()

    def _paint(self, painter: QPainter) -> None:
        unit = ", ".join(filter(None, (self.unit, "log" if self.view.log else "")))
        picture = Picture(self.rect(), self.title, unit, self._drawn(), self.readings(), self.underMouse())
        self._lines = paint(painter, picture, self.frame(), self._lines)

    # Export

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.make_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def make_menu(self) -> QMenu:
        """The context menu of the plot."""
        menu = QMenu(self)
        log = menu.addAction("Log scale")
        log.setCheckable(True)
        log.setChecked(self.view.log)
        log.toggled.connect(self.set_log)
        menu.addAction("Show all").triggered.connect(self.show_all)
        menu.addSeparator()
        menu.addAction("Save as PNG ...").triggered.connect(self.save_png)
        menu.addAction("Save as CSV ...").triggered.connect(self.save_csv)
        return menu

    def image(self, scale: float = 2.0) -> QImage:
        """The plot as an image, with ``scale`` times as many pixels."""
        image = QImage(self.size() * scale, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(scale)
        painter = QPainter(image)
        self._paint(painter)
        painter.end()
        return image

    def save_png(self) -> None:
        """Asks for a file, and writes the plot as an image."""
        self._save("PNG", lambda path: write_image(path, self.image()))

    def save_csv(self) -> None:
        """Asks for a file, and writes every point of every curve."""
        self._save("CSV", lambda path: write_whole(path, as_csv(self.curves)))

    def _save(self, kind: str, write: Callable[[Path], None]) -> None:
        suffix = f".{kind.lower()}"
        suggested = f"{identifier(self.title, 'curves')}{suffix}"
        chosen = QFileDialog.getSaveFileName(self, f"Save as {kind}", suggested, f"{kind} (*{suffix})")[0]
        if not chosen:
            return
        path = Path(chosen)
        try:
            write(path if path.suffix == suffix else path.with_name(f"{path.name}{suffix}"))
        except LLMNodesError as error:
            QMessageBox.warning(self, "Not written", str(error))


def _roomy(ranges: Sequence[Range], log: bool) -> Range:
    """The common scaled range, with a small margin."""
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if log:
        low, high = math.log10(low), math.log10(high)
    margin = (high - low) * 0.04 or (0.5 if log else abs(high) * 0.5 or 0.5)
    return low - margin, high + margin
