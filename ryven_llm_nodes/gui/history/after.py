"""What can be done with the model of a stage once it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from ryven_llm_nodes.gui.history.run_summaries import StageEnd
from ryven_llm_nodes.gui.state.flow_state import CHAT, EVALUATE, OPEN_FOLDER, USE
from ryven_llm_nodes.gui.style.rich_text import bold, coloured, escape
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.gui.widgets.weak_calls import weakly
from ryven_llm_nodes.run.records.history import PastRun
from ryven_llm_nodes.run.states import in_words


@dataclass(frozen=True)
class Afterwards:
    """What the buttons do: with the folder of a model and its title, or with a run, its stage, and the folder."""

    chat: Callable[[Path, str], Any]
    evaluate: Callable[[PastRun, str, Path], Any]
    use: Callable[[Path, str], Any]
    open_folder: Callable[[Path], Any]
    draw: Callable[[Sequence[PastRun]], Any]
    """Draws the curves of runs over those of the flow in front."""


class StageHeader(QWidget):
    """A stage in the page of a run: how it ended, and what can be done with what it has left."""

    def __init__(self, run: PastRun, end: StageEnd, after: Afterwards | None) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 6, 0, 0)
        row.setSpacing(6)
        row.addWidget(QLabel(_words(end)), 1)
        self.buttons: dict[str, QPushButton] = {}
        for text, tip, does in _offers(run, end, after) if after is not None else ():
            self.buttons[text] = button = QPushButton(text, autoDefault=False, toolTip=tip)
            button.clicked.connect(partial(_call, does))
            row.addWidget(button)


def _words(end: StageEnd) -> str:
    rest = "".join(f" &nbsp; {escape(part)}" for part in (end.took, end.metrics) if part)
    return f"{bold(end.stage)} &nbsp; {coloured(in_words(end.state), state_colour(end.state))}{rest}"


def _offers(run: PastRun, end: StageEnd, after: Afterwards) -> list[tuple[str, str, Callable[[], Any]]]:
    folder, title = Path(end.folder), f"{run.label.name or run.output_dir.name} / {end.stage}"
    offers: list[tuple[str, str, Callable[[], Any]]] = []
    if end.has_model:
        chat, evaluate, use = weakly(after.chat), weakly(after.evaluate), weakly(after.use)
        offers += [
            (CHAT, "Talk to this model", partial(chat, folder, title)),
            (EVALUATE, "A flow that measures this model", partial(evaluate, run, end.stage, folder)),
            (USE, "A flow that begins with this model", partial(use, folder, end.stage)),
        ]
    if end.folder and folder.is_dir():
        offers.append((OPEN_FOLDER, str(folder), partial(weakly(after.open_folder), folder)))
    return offers


def _call(does: Callable[[], Any], *_: Any) -> None:
    """A click says whether the button is checked, which means nothing here."""
    does()
