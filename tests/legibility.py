"""What makes a window hard to read: small, faint, cut, covered or garbled text, a size that its screen has no room for.

A text counts as covered where none of its ink can be seen: a bubble on the canvas may hide a part of a title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from drawn_text import DrawnText, texts_of
from qtpy.QtCore import QEvent, QPoint, QRect, QRectF, Qt
from qtpy.QtGui import QColor, QHelpEvent, QImage
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractScrollArea,
    QApplication,
    QGraphicsView,
    QHeaderView,
    QLayout,
    QLineEdit,
    QStackedLayout,
    QToolTip,
    QWidget,
)

SMALLEST: Final = 11
"""Device-independent pixels of a font."""
ENOUGH: Final = 4.5
"""The contrast that WCAG 2.2 asks of text (1.4.3, AA); what is inactive is excepted there, too."""
SLACK: Final = 1.5
"""Pixels that a text may lie outside of what is shown of it: blank parts of its font."""
FRAME: Final = 40
"""Pixels for the title bar, which the size of a window does not contain."""
SMALLEST_SCREEN: Final = (1280, 720)


def faults(shown: QWidget, measured: list[str]) -> Iterator[str]:
    """All that is wrong with ``shown``, a window or a part of one, as it is shown now; ``measured`` takes all texts."""
    QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)  # a label that has just got a longer text grows
    picture, window = _pixels(shown.window()), shown.window()
    here = [widget for widget in (shown, *shown.findChildren(QWidget)) if widget.window() is window]
    for widget in [one for one in here if one.isVisible() and not one.visibleRegion().isEmpty()]:
        yield from _overlaps(widget)
        found = texts_of(widget)
        measured += [text.text for text in found]
        if found and (beyond := _beyond(widget)):
            yield f"{_name(widget)} ({found[0].text!r}): lies beyond {beyond}"
        for text in found:
            for fault in _of_text(widget, text, picture):
                yield f"{_name(widget)}: {text.text!r} {fault}"


def faults_of_opening(window: QWidget) -> Iterator[str]:
    """Whether ``window`` opens with a size that its screen has room for."""
    room = window.screen().availableSize()
    if window.width() > room.width() or window.height() > room.height() - FRAME:
        yield f"opens with {window.width()} x {window.height()} on a screen of {room.width()} x {room.height()}"


def faults_of_least(window: QWidget) -> Iterator[str]:
    """Whether ``window`` can be made as small as the smallest screen."""
    wide, high = SMALLEST_SCREEN
    least = window.minimumSizeHint().expandedTo(window.minimumSize())
    if least.width() > wide or least.height() > high - FRAME:
        yield f"is at least {least.width()} x {least.height()}, a small screen {wide} x {high}"


def _name(widget: QWidget) -> str:
    """``QLabel in StartPage``: a widget by its class, and the nearest one around it of a class of our own."""
    around = widget.parentWidget()
    while around is not None and not type(around).__module__.startswith("ryven_llm_nodes"):
        around = around.parentWidget()
    name = type(widget).__name__ + (f"#{widget.objectName()}" if widget.objectName() else "")
    return f"{name} in {type(around).__name__}" if around is not None else name


# One text


def _of_text(widget: QWidget, text: DrawnText, picture: np.ndarray) -> Iterator[str]:
    shown = text.place & text.clip & QRectF(widget.visibleRegion().boundingRect())
    if _is_cut(widget, text):
        yield f"is cut off: {_box(text.place)} of {_box(text.clip)}"
    if shown.isEmpty():
        return
    if round(text.pixels, 1) < SMALLEST:
        yield f"has {text.pixels:.1f} pixels"
    if entity := re.search(r"&(?:#x?[0-9a-fA-F]+|[a-z]{2,6});", text.text):
        yield f"was escaped twice: {entity[0]}"
    middle = shown.center().toPoint()
    if "…" in text.text and not _tip(widget, middle):
        yield "is shortened, without a tooltip"
    yield from _of_colours(widget, text, shown, picture)


def _is_cut(widget: QWidget, text: DrawnText) -> bool:
    if isinstance(widget, QLineEdit) and text.text in widget.text():
        return False  # the arrow keys show the rest
    least = text.place.adjusted(SLACK, SLACK, -SLACK, -SLACK)
    wide, high = _scrolls(widget)
    across = least.left() < text.clip.left() or least.right() > text.clip.right()
    along = least.top() < text.clip.top() or least.bottom() > text.clip.bottom()
    return (across and not wide) or (along and not high)


def _scrolls(widget: QWidget) -> tuple[bool, bool]:
    """Whether what ``widget`` shows can be scrolled, horizontally and vertically."""
    area = widget.parentWidget()
    if isinstance(area, QGraphicsView):
        return True, True
    if isinstance(area, QHeaderView):
        return area.length() > widget.width(), area.length() > widget.height()
    if not isinstance(area, QAbstractScrollArea):
        return False, False
    return area.horizontalScrollBar().maximum() > 0, area.verticalScrollBar().maximum() > 0


def _tip(widget: QWidget, place: QPoint) -> str:
    """The tooltip that a user sees there."""
    for shown in QApplication.topLevelWidgets():
        if shown.windowType() == Qt.WindowType.ToolTip:
            shown.hide()  # at once; QToolTip would wait
    QApplication.sendEvent(widget, QHelpEvent(QEvent.Type.ToolTip, place, widget.mapToGlobal(place)))
    return QToolTip.text() if QToolTip.isVisible() else ""


def _is_inactive(widget: QWidget, place: QPoint) -> bool:
    view = widget.parentWidget()
    if isinstance(view, QAbstractItemView) and not isinstance(view, QHeaderView):
        index = view.indexAt(place)
        return index.isValid() and not index.flags() & Qt.ItemFlag.ItemIsEnabled
    return not widget.isEnabled()


# Colours: the ink is what the painter was given, since thin strokes are blended; what lies below is in the picture


def _pixels(window: QWidget) -> np.ndarray:
    """The picture of ``window``: height x width x RGB."""
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    bits = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return bits[:, : image.width(), 2::-1].copy()


def _of_colours(widget: QWidget, text: DrawnText, shown: QRectF, picture: np.ndarray) -> Iterator[str]:
    part = _part(widget, shown.toAlignedRect(), picture).reshape(-1, 3)
    if len(part) < 8 or _is_inactive(widget, shown.center().toPoint()):
        return
    ground = _commonest(part)
    given = np.array(text.ink.getRgbF()[:3]) * 255
    ink = ground + (given - ground) * text.ink.alphaF()
    if (ratio := contrast(ink, ground)) < ENOUGH:
        yield f"has a contrast of {ratio:.1f}: {_hex(ink)} on {_hex(ground)}"
    elif shown.height() < text.place.height() / 2 or not any(map(str.isalnum, text.text)):
        return  # hardly any of its ink can be seen
    elif ((part - ground) @ (ink - ground)).max() < 0.5 * ((ink - ground) ** 2).sum():
        yield "is covered"


def _part(widget: QWidget, box: QRect, picture: np.ndarray) -> np.ndarray:
    ratio = widget.devicePixelRatioF()
    corner = widget.mapTo(widget.window(), box.topLeft())
    left, top = round(corner.x() * ratio), round(corner.y() * ratio)
    right, bottom = left + round(box.width() * ratio), top + round(box.height() * ratio)
    return picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)].astype(float)


def _commonest(part: np.ndarray) -> np.ndarray:
    """The middle of the commonest colours: what lies below may be a fade, as in the header of a node."""
    rough = (part.astype(np.uint32) >> 5) @ np.array([64, 8, 1], np.uint32)
    return np.median(part[rough == np.bincount(rough).argmax()], axis=0)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """As WCAG defines it, of two colours of 0 to 255."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(rgb: np.ndarray) -> float:
    share = np.clip(rgb, 0, 255) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _hex(rgb: np.ndarray) -> str:
    return QColor(*(round(value) for value in rgb)).name()


# Places


def _beyond(widget: QWidget) -> str:
    """The widget around ``widget`` that it does not lie in; empty if it can be seen in full, or be scrolled to."""
    while not widget.isWindow() and (around := widget.parentWidget()) is not None:
        area = around.parentWidget()
        if isinstance(area, QAbstractScrollArea) and around is area.viewport():
            return ""
        if not around.rect().contains(widget.geometry() & widget.geometry().adjusted(0, 1, 0, -1)):
            return f"{_name(around)}: {_box(QRectF(widget.geometry()))} of {_box(QRectF(around.rect()))}"
        widget = around
    return ""


def _overlaps(widget: QWidget) -> Iterator[str]:
    """The neighbours in the layouts of ``widget`` that overlap."""
    layout = widget.layout()
    for one in (layout, *layout.findChildren(QLayout)) if layout is not None else ():
        if isinstance(one, QStackedLayout) or type(one) is QLayout:
            continue
        items = [one.itemAt(place) for place in range(one.count())]
        boxes = [(item, item.geometry()) for item in items if not item.isEmpty()]
        for place, (item, box) in enumerate(boxes):
            for other, over in boxes[place + 1 :]:
                if box.intersects(over):
                    yield f"{_name(widget)}: {_item(item)} overlaps {_item(other)}"


def _item(item: Any) -> str:
    return _name(item.widget()) if item.widget() is not None else "a layout"


def _box(box: QRectF) -> str:
    return f"({box.left():.0f}, {box.top():.0f}, {box.right():.0f}, {box.bottom():.0f})"
