"""The hint on an empty canvas."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, QRect, Qt, QTimer
from qtpy.QtWidgets import QLabel

from ryven_llm_nodes.gui.style.colours import MUTED

WORDS: Final = (
    f"<p style='font-size:17px; color:{MUTED}'>An empty pipeline</p>"
    f"<p style='font-size:13px; color:{MUTED}; line-height:160%'>Drag <b>Load Model</b>, <b>Load Dataset</b> and "
    "<b>SFT</b> from the left,<br>connect pins of the same colour, and press <b>Run</b> (F5).</p>"
)
SIZE: Final = (520, 150)


class Hint(QLabel):
    """A hint in the middle of a canvas without nodes; clicks go through."""

    def __init__(self, view: Any) -> None:
        super().__init__(WORDS, view.viewport())
        self._view = view
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setStyleSheet("background: transparent")
        view.viewport().installEventFilter(self)
        QTimer.singleShot(0, self, self._begin)

    def _begin(self) -> None:
        for event in (self._view.flow.node_added, self._view.flow.node_removed):
            event.sub(lambda _: self._refresh())
        self._refresh()

    def _refresh(self) -> None:
        place = QRect(0, 0, *SIZE)
        place.moveCenter(self._view.viewport().rect().center())
        self.setGeometry(place)
        self.setVisible(not self._view.flow.nodes)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._refresh()
        return False
