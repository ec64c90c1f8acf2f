"""One earlier run, or two side by side, as a page that scrolls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from ryven_llm_nodes.gui.curves.frame import Range
from ryven_llm_nodes.gui.curves.metric_names import HELP, unit_of
from ryven_llm_nodes.gui.curves.plot import CurvePlot
from ryven_llm_nodes.gui.history.run_summaries import RUN_COLOURS, Comparison, StageEnd, StagePlots, Summary
from ryven_llm_nodes.gui.style.colours import ACCENT, BAD, GOOD, MUTED, TEXT, WARN
from ryven_llm_nodes.gui.style.fonts import mono_font
from ryven_llm_nodes.gui.style.rich_text import bold, coloured, escape
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.gui.widgets.tables import Cell, Row, Table
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run.records.compare import Difference
from ryven_llm_nodes.run.records.history import PastRun
from ryven_llm_nodes.run.states import in_words

COLUMNS: Final = 3
PLOT_HEIGHT: Final = 128
DIFF_COLOURS: Final = {"-": BAD, "+": GOOD, "@": ACCENT}


class Page(QScrollArea):
    """Labels, tables and plots below each other; the base of the pages on ``runs``."""

    def __init__(self, *runs: PastRun) -> None:
        super().__init__(widgetResizable=True, frameShape=QFrame.Shape.NoFrame)
        self.runs = runs
        content = QWidget()
        self.column = QVBoxLayout(content)
        self.column.setContentsMargins(2, 4, 6, 4)
        self.column.setSpacing(6)
        self.setWidget(content)

    def add_text(self, html: str, role: str = "") -> QLabel:
        """Text that can be selected and copied."""
        label = QLabel(html, wordWrap=True, textFormat=Qt.TextFormat.RichText)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setProperty("role", role)
        self.column.addWidget(label)
        return label

    def add_table(self, titles: Sequence[str], rows: Sequence[Row], stretch: int) -> Table:
        """A table as high as its rows."""
        table = Table(titles, stretch=stretch)
        table.show_rows({str(place): row for place, row in enumerate(rows)})
        table.show_all_rows()
        self.column.addWidget(table)
        return table

    def add_plots(self, stages: Sequence[StagePlots]) -> None:
        """The curves of every stage."""
        for stage in stages:
            if stage.same:
                self.add_text(f"{bold(stage.stage)}: the same curves in both")
            else:
                self.add_text(bold(stage.stage))
                self.column.addWidget(PlotGrid(stage))


class PlotGrid(QWidget):
    """The plots of one stage; their crosshairs move together."""

    def __init__(self, stage: StagePlots) -> None:
        super().__init__()
        self.plots: dict[str, CurvePlot] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 6)
        grid.setSpacing(5)
        for place, (title, curves) in enumerate(stage.plots.items()):
            self.plots[title] = plot = CurvePlot(title, HELP.get(title, ""), self, unit_of(title), scrolls=True)
            plot.setFixedHeight(PLOT_HEIGHT)
            plot.set_curves(curves)
            plot.pointed.connect(self._point)
            plot.zoomed.connect(self._zoom)
            grid.addWidget(plot, *divmod(place, COLUMNS))
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)

    def _point(self, step: float | None) -> None:
        for plot in self.plots.values():
            plot.set_cursor_step(step)

    def _zoom(self, steps: Range | None) -> None:
        for plot in self.plots.values():
            plot.set_steps(steps)


class SummaryPage(Page):
    """One run."""

    def __init__(self, summary: Summary) -> None:
        super().__init__(summary.run)
        run = summary.run
        self.add_text(f"{bold(run.name)} &nbsp; {_status(run)}")
        self.add_text(escape(f"flow {run.flow!r} · {run.began} · {duration(run.seconds)} · {_versions(run)}"), "muted")
        for line in run.error:
            self.add_text(coloured(line, BAD))
        for line in run.warnings:
            self.add_text(coloured(line, WARN))
        if summary.stages:
            rows = [_stage_row(end) for end in summary.stages]
            self.add_table(("stage", "state", "time", "final metrics", "model"), rows, stretch=3)
        self.add_text(escape(f"record: {run.folder}"), "muted")
        self.add_plots(summary.plots)
        self.column.addStretch(1)


class ComparisonPage(Page):
    """Two runs side by side."""

    def __init__(self, comparison: Comparison) -> None:
        super().__init__(*comparison.runs)
        self.add_text(" &nbsp; vs &nbsp; ".join(map(_legend, comparison.runs, RUN_COLOURS)))
        found = comparison.differences
        if found:
            titles = ("differences", *(run.name for run in comparison.runs))
            self.table = self.add_table(titles, [_difference_row(one) for one in found], stretch=2)
        else:
            self.add_text("Same flow, data and versions.")
        for one in found:
            if one.details:
                self.add_text(bold(one.where))
                self.add_text(_diff(one.details)).setFont(mono_font(11))
        self.add_plots(comparison.plots)
        self.column.addStretch(1)


def _stage_row(end: StageEnd) -> Row:
    state, folder = Cell(in_words(end.state), state_colour(end.state)), Cell(end.folder, MUTED, end.folder)
    return Row((end.stage, state, end.took, end.metrics, folder))


def _difference_row(one: Difference) -> Row:
    values = zip((one.first, one.second), RUN_COLOURS, strict=True)
    return Row((one.where, *(Cell(value, colour, value) for value, colour in values)))


def _legend(run: PastRun, colour: str) -> str:
    return f"{coloured('●', colour)} {bold(run.name)} {_status(run)}"


def _status(run: PastRun) -> str:
    return coloured(in_words(run.status), state_colour(run.status))


def _versions(run: PastRun) -> str:
    return ", ".join(f"{name} {version}" for name, version in {**run.versions, **run.machine}.items())


def _diff(lines: Sequence[str]) -> str:
    """A unified diff in colour."""
    shown = (coloured(line, DIFF_COLOURS.get(line[:1], TEXT)) for line in lines)
    return f'<div style="white-space: pre-wrap">{"<br>".join(shown)}</div>'
