"""The window Launch Settings: on how many processes and machines a flow runs, all stages or a single one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from qtpy.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.gui.inspector.field_row import FieldRow
from ryven_llm_nodes.gui.style.colours import BAD, MUTED
from ryven_llm_nodes.gui.style.rich_text import coloured
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.widgets.combo import Combo
from ryven_llm_nodes.program import read_live_flow
from ryven_llm_nodes.program.flow import live_launch, set_live_launch
from ryven_llm_nodes.program.launch.settings import PARAMETERS, Launch

ALL: Final = "all stages"
WIDTH: Final = 420


class LaunchDialog(QDialog):
    """Edits the launch settings of the flow that ``flow`` gives; ``changed`` is called after each change."""

    def __init__(self, flow: Callable[[], Any], changed: Callable[[], Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._current, self._changed = flow, changed
        self.flow: Any = None
        self.setWindowTitle("Launch Settings")
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        self.setMinimumWidth(WIDTH)
        self.stages = Combo(self)
        self.stages.setAccessibleName("stage")
        self.stages.currentTextChanged.connect(lambda _: self.show_values())
        self.rows = {parameter.name: FieldRow(parameter, parent=self) for parameter in PARAMETERS}
        self.words = QLabel(wordWrap=True)
        column = QVBoxLayout(self)
        for widget in (self.stages, *self.rows.values(), self.words):
            column.addWidget(widget)
        column.addStretch()
        for row in self.rows.values():
            row.edited.connect(self._set)
            row.reset.connect(lambda name: self._set(name, None))

    def open_for_front(self) -> None:
        """Shows the settings of the flow in front."""
        self.flow = self._current()
        self.stages.blockSignals(True)
        self.stages.clear()
        self.stages.addItems([ALL, *self._names()])
        self.stages.blockSignals(False)
        self.show_values()
        self.show()
        self.raise_()
        self.activateWindow()

    def _names(self) -> list[str]:
        """The stages of the flow, as far as it can be read."""
        try:
            return [step.name for step in read_live_flow(self.flow, Path()).steps if step.node.is_stage]
        except FlowError:
            return []

    @property
    def stage(self) -> str:
        """The stage whose settings are shown; empty for all."""
        return "" if self.stages.currentText() in ("", ALL) else self.stages.currentText()

    def show_values(self) -> None:
        """Shows the settings of the chosen stage; those that were not set for it are those of all stages."""
        launch = live_launch(self.flow)
        own = launch.stages.get(self.stage, {}) if self.stage else launch.given
        for name, row in self.rows.items():
            row.show_value(launch.of(self.stage)[name], name in own)
        found = [f"{name}: {text}" for name, text in launch.problems(self._names())]
        notes = [coloured(line, BAD) for line in found] or [coloured(_words(launch.of(self.stage)), MUTED)]
        self.words.setText("<br>".join(notes))

    def _set(self, name: str, value: JSON) -> None:
        launch = live_launch(self.flow)
        own = dict(launch.stages.get(self.stage, {}) if self.stage else launch.given)
        own.pop(name, None)
        if value is not None:
            own[name] = value
        stages = {**launch.stages, self.stage: own} if self.stage else launch.stages
        set_live_launch(self.flow, Launch(launch.given if self.stage else own, stages))
        self._changed()
        self.show_values()


def _words(launch: Launch) -> str:
    if launch.total == 1:
        return "One process, on this machine."
    return f"{launch.total} processes share each optimizer step ({launch.strategy})."
