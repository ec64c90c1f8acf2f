"""One earlier run, or several side by side, as a page that scrolls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from ryven_llm_nodes.gui.curves.frame import Range
from ryven_llm_nodes.gui.curves.metric_names import HELP, unit_of
from ryven_llm_nodes.gui.curves.plot import CurvePlot
from ryven_llm_nodes.gui.curves.runs import STYLES, legend_entry, name_of
from ryven_llm_nodes.gui.history.after import Afterwards, StageHeader
from ryven_llm_nodes.gui.history.label_fields import LabelFields
from ryven_llm_nodes.gui.history.run_summaries import Comparison, StageEnd, StagePlots, Summary
from ryven_llm_nodes.gui.style.colours import ACCENT, BAD, GOOD, TEXT, WARN
from ryven_llm_nodes.gui.style.fonts import mono_font
from ryven_llm_nodes.gui.style.rich_text import bold, coloured, escape
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.gui.widgets.tables import Cell, Row, Table
from ryven_llm_nodes.gui.widgets.wrapped import WrappedLayout
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run.comparing.comparison import Comparison as Evaluations
from ryven_llm_nodes.run.comparing.comparison import notes_of, outcome
from ryven_llm_nodes.run.records.compare import Contrast, data_of
from ryven_llm_nodes.run.records.history import PastRun
from ryven_llm_nodes.run.states import in_words

COLUMNS: Final = 3
PLOT_HEIGHT: Final = 128
OUTCOMES: Final = {"better": (" ▲ better", GOOD), "worse": (" ▼ worse", BAD), "same": ("", "")}
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
                self.add_text(f"{bold(stage.stage)}: the same curves in all")
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
    """One run: what it is called and how it ended, then the curves, and at the end what it was made of."""

    def __init__(self, summary: Summary, after: Afterwards | None = None) -> None:
        super().__init__(summary.run)
        run = summary.run
        self.add_text(f"{bold(run.name)} &nbsp; {_status(run)}")
        self.add_text(escape(f"flow {run.flow!r} · {run.began} · {duration(run.seconds)}"), "muted")
        self.label_fields = LabelFields(run)
        self.column.addWidget(self.label_fields)
        for line in run.error:
            self.add_text(coloured(line, BAD))
        for line in run.warnings:
            self.add_text(coloured(line, WARN))
        plots = {stage.stage: stage for stage in summary.plots}
        self.headers = {end.stage: StageHeader(run, end, after) for end in summary.stages}
        for name, header in self.headers.items():
            self.column.addWidget(header)
            if name in plots:
                self.column.addWidget(PlotGrid(plots[name]))
        self._add_origins(run, summary.stages)
        self.column.addStretch(1)

    def _add_origins(self, run: PastRun, stages: Sequence[StageEnd]) -> None:
        """Folders, data and versions."""
        rows = [Row((end.stage, Cell(end.folder, "", end.folder))) for end in stages if end.folder]
        rows += [Row((what, Cell(value, "", value))) for what, value in data_of(run).items()]
        if rows:
            self.add_table(("from", "what"), rows, stretch=1)
        self.add_text(escape(_versions(run)), "muted")
        self.add_text(escape(f"record: {run.folder}"), "muted")


class ComparisonPage(Page):
    """Several runs side by side."""

    def __init__(self, comparison: Comparison) -> None:
        super().__init__(*comparison.runs)
        self._add_legend(comparison.runs)
        if comparison.evaluations is not None:
            self._add_evaluations(comparison.evaluations)
        self._add_differences(comparison)
        self.add_plots(comparison.plots)
        for one in comparison.differences:
            for place, lines in one.details.items():
                self.add_text(f"{bold(one.where)} &nbsp; {escape(name_of(comparison.runs[place]))}")
                self.add_text(_diff(lines)).setFont(mono_font(11))
        self.column.addStretch(1)

    def _add_legend(self, runs: Sequence[PastRun]) -> None:
        legend = QWidget()
        entries = WrappedLayout(legend, gap=10)
        for run, style in zip(runs, STYLES, strict=False):
            entry = legend_entry(run, style)
            entry.layout().addWidget(QLabel(_status(run)))
            entries.addWidget(entry)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        legend.setSizePolicy(policy)
        self.column.addWidget(legend)

    def _add_differences(self, comparison: Comparison) -> None:
        found = comparison.differences
        if found:
            titles = ("differences", *(name_of(run) for run in comparison.runs))
            self.table = self.add_table(titles, [_difference_row(one) for one in found], stretch=0)
            self.table.share_width()
        else:
            self.add_text("Same flow, data and versions.")

    def _add_evaluations(self, found: Evaluations) -> None:
        """What the models of the runs were measured to be, next to the first of them."""
        rows = [Row((model, *(_measured(found, model, one) for one in found.measures))) for model in found.models]
        self.evaluations = self.add_table(("evaluations", *found.measures), rows, stretch=0)
        for line in notes_of(found):
            self.add_text(escape(line), "muted")


def _measured(found: Evaluations, model: str, measure: str) -> Cell:
    value, change = found.models[model].get(measure), found.difference(model, measure)
    if value is None:
        return Cell("")
    word = outcome(change) if change else "same"
    text = f"{value['value']:.4g}{OUTCOMES[word][0]}"
    return Cell(text, OUTCOMES[word][1], f"{value['value']:.6g} [{value['low']:.6g}, {value['high']:.6g}]")


def _difference_row(one: Contrast) -> Row:
    values = zip(one.values, STYLES, strict=False)
    return Row((one.where, *(Cell(value, style.colour, value) for value, style in values)))


def _status(run: PastRun) -> str:
    return coloured(in_words(run.status), state_colour(run.status))


def _versions(run: PastRun) -> str:
    return ", ".join(f"{name} {version}" for name, version in {**run.versions, **run.machine}.items())


def _diff(lines: Sequence[str]) -> str:
    """A unified diff in colour."""
    shown = (coloured(line, DIFF_COLOURS.get(line[:1], TEXT)) for line in lines)
    return f'<div style="white-space: pre-wrap">{"<br>".join(shown)}</div>'
