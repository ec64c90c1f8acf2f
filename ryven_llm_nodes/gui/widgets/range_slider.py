"""A slider with two handles, to choose a range of steps."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QWidget
from superqt.sliders import QRangeSlider

from ryven_llm_nodes.gui.style.colours import ACCENT


class RangeSlider(QRangeSlider):
    """Chooses a first and a last of the whole numbers between two limits; ``valueChanged`` carries both.

    While a handle stands at a limit it moves along with it, so that new steps are seen as they come. The bar between
    the handles moves both.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setRange(0, 0)
        self.setValue((0, 0))
        self.barColor = ACCENT
        self.setMinimumWidth(70)
        self.setToolTip("Steps that are shown. Double-click for all.")

    @property
    def limits(self) -> tuple[int, int]:
        """What can be chosen from."""
        return self.minimum(), self.maximum()

    @property
    def is_whole(self) -> bool:
        """Whether everything is chosen."""
        return self.value() == self.limits

    def set_limits(self, first: int, last: int) -> None:
        """Sets what can be chosen from."""
        ends = zip(self.value(), self.limits, (first, last), strict=True)
        chosen = tuple(new if value == old else value for value, old, new in ends)
        self.setRange(first, last)
        self.setValue(chosen)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setValue(self.limits)
