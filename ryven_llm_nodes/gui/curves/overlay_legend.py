"""The legend of the runs that are drawn over the curves: one entry per run, with its line and a cross."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QPushButton, QSizePolicy, QWidget

from ryven_llm_nodes.gui.curves.runs import OVER, legend_entry
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.widgets.wrapped import WrappedLayout


class OverlayLegend(QWidget):
    """The overlay of ``model``; hidden while there is none."""

    def __init__(self, model: RunModel) -> None:
        super().__init__()
        self._model = model
        self._layout = WrappedLayout(self)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        model.overlay_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Shows the runs that are there."""
        while (item := self._layout.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for slot, one in self._model.overlay:
            self._layout.addWidget(legend_entry(one.run, OVER[slot], partial(self._model.take_off, slot)))
        if len(self._model.overlay) > 1:
            clear = QPushButton("Remove All", autoDefault=False)
            clear.clicked.connect(partial(self._model.take_off, None))
            self._layout.addWidget(clear)
        self.setVisible(bool(len(self._model.overlay)))
        self.updateGeometry()
