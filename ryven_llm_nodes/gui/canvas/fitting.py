"""Keeps a flow that was fitted into its canvas fitted when the canvas changes its size."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, Qt, QTimer

from ryven_llm_nodes.gui.canvas.tidy import fit

SETTLE_MS: Final = 30


class Fitting(QObject):
    """Fits ``view`` again after its size has changed, unless its user has zoomed, scrolled or panned since."""

    def __init__(self, view: Any) -> None:
        super().__init__(view)
        self._view = view
        self._is_fitted = False
        self._later = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._later.timeout.connect(self.fit)
        view.viewport().installEventFilter(self)
        for bar in (view.horizontalScrollBar(), view.verticalScrollBar()):
            bar.actionTriggered.connect(self._leave)  # by the user, not by a program

    def fit(self) -> None:
        """Shows all nodes, from now on at every size of the canvas."""
        fit(self._view)
        self._is_fitted = True

    def _leave(self, *_: object) -> None:
        self._is_fitted = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.Resize and self._is_fitted:
            self._later.start()
        elif kind == QEvent.Type.Wheel or (
            kind == QEvent.Type.MouseMove and event.buttons() & Qt.MouseButton.RightButton
        ):
            self._leave()
        return False


def fitting_of(view: Any) -> Fitting:
    """What fits ``view``; created when it is first needed."""
    return view.findChild(Fitting) or Fitting(view)
