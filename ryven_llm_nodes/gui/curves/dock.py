"""The metrics dock: live curves of the selected stages as small multiples, with earlier runs behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QAction, QShowEvent
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ryven_llm_nodes.gui.curves.frame import Range
from ryven_llm_nodes.gui.curves.metric_names import HELP, evaluation_of, first_plots, metric_for, plots, unit_of
from ryven_llm_nodes.gui.curves.overlay_legend import OverlayLegend
from ryven_llm_nodes.gui.curves.plot import CurvePlot
from ryven_llm_nodes.gui.curves.runs import OVER, name_of
from ryven_llm_nodes.gui.curves.series import Curve, Series
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.state.stage_run import StageRun
from ryven_llm_nodes.gui.style.colours import SERIES_COLOURS
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE

REDRAW_MS: Final = 100
PAINT_MS: Final = 8
SHOWN_EARLIER: Final = 5
PLOT_WIDTH: Final = 155
PLOT_HEIGHT: Final = 60
EMPTY: Final = "Loss, reward, KL and other curves appear here while a trainer runs.\nPress Run (F5) to begin."


class MetricsDock(QWidget):
    """Plots of the metrics in ``model``, at most ten redraws a second.

    Unless stages are selected (chips, or :meth:`select_stages`), it follows the running stage.
    """

    def __init__(self, model: RunModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.plots: dict[str, CurvePlot] = {}
        self.chosen_stages: set[str] | None = None
        self.chosen_plots: dict[str, bool] = {}
        self.redraws = 0
        self._followed = ""
        self._steps: Range | None = None
        self._series: dict[tuple[int, str], tuple[StageRun, Series]] = {}
        self._colours: dict[str, str] = {}
        self._tick = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._tick.timeout.connect(self.redraw)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(PANEL_STYLE)
        self._build()
        self._connect()
        self._follow(next(iter(reversed(self._stages())), ""))
        self.redraw()

    # Widgets

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 6)
        column.setSpacing(4)
        column.addWidget(self._make_bar())
        column.addWidget(OverlayLegend(self.model))
        self.empty = QLabel(EMPTY, alignment=Qt.AlignmentFlag.AlignCenter)
        self.empty.setProperty("role", "muted")
        column.addWidget(self.empty, 1)
        self.area = QScrollArea(widgetResizable=True, frameShape=QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        content = QWidget()
        self.grid = QGridLayout(content)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setSpacing(5)
        self.area.setWidget(content)
        self.area.viewport().installEventFilter(self)
        column.addWidget(self.area, 1)

    def _make_bar(self) -> QWidget:
        self.bar = QWidget()
        row = QHBoxLayout(self.bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        self.chips: dict[str, QPushButton] = {}
        row.addWidget(self._make_chip_row(), 1)
        label = QLabel("smooth")
        label.setProperty("role", "muted")
        self.slider = QSlider(Qt.Orientation.Horizontal, minimum=0, maximum=99, maximumWidth=80)
        self.slider.setToolTip("Exponential moving average; the raw values stay visible behind it")
        self.slider.valueChanged.connect(self._later)
        self.menu_button = QToolButton(text="Metrics ▾", popupMode=QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.menu_button)
        self.menu.aboutToShow.connect(self.fill_menu)
        self.menu.triggered.connect(self._on_action)
        self.menu_button.setMenu(self.menu)
        for widget in (label, self.slider, self.menu_button):
            row.addWidget(widget)
        return self.bar

    def _make_chip_row(self) -> QWidget:
        """A row that is scrolled by the wheel if there is no room for all stages."""
        inner = QWidget()
        self._chip_row = QHBoxLayout(inner)
        self._chip_row.setContentsMargins(0, 0, 0, 0)
        self._chip_row.setSpacing(4)
        self._chip_row.addStretch(1)
        area = QScrollArea(widgetResizable=True, frameShape=QFrame.Shape.NoFrame)
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFixedHeight(26)
        area.setMinimumWidth(60)
        area.setWidget(inner)
        return area

    def _connect(self) -> None:
        self.model.metrics_added.connect(self._on_metrics)
        self.model.stage_changed.connect(self._later)
        self.model.run_started.connect(self._later)
        self.model.overlay_changed.connect(self._on_overlay)

    # Stages

    def _stages(self) -> list[str]:
        """The stages that have logged anything, in this or an earlier run."""
        runs = [(name, run) for name, before in self.model.earlier.items() for run in before]
        runs += self.model.stages.items()
        runs += [pair for _, over in self.model.overlay for pair in over.stages.items()]
        return list(dict.fromkeys(name for name, run in runs if run.metrics))

    def selected_stages(self) -> list[str]:
        """The stages whose curves are shown."""
        wanted = {self._followed} if self.chosen_stages is None else self.chosen_stages
        return [name for name in self._stages() if name in wanted]

    def select_stages(self, names: Iterable[str] | None) -> None:
        """Shows these stages; None follows the running one."""
        self.chosen_stages = None if names is None else set(names)
        self._zoom(None)
        self.redraw()

    def _follow(self, step: str) -> None:
        if step and step != self._followed:
            self._followed = step
            self._zoom(None)  # its steps are others

    def _on_metrics(self, step: str) -> None:
        """Switches to a stage once it has metrics; until then the curves of the previous one stay."""
        if self.model.stages[step].is_running or not self._followed:
            self._follow(step)
        self._later()

    def _on_overlay(self) -> None:
        """Runs that have other stages than those that are shown bring theirs into view."""
        if not self.selected_stages():
            self._follow(next(iter(self._stages()), ""))
        self.redraw()

    def _on_chip(self) -> None:
        self.select_stages({name for name, chip in self.chips.items() if chip.isChecked()} or None)

    def _colour(self, stage: str) -> str:
        return self._colours.setdefault(stage, SERIES_COLOURS[len(self._colours) % len(SERIES_COLOURS)])

    # Redraws

    def _later(self, *_: object) -> None:
        """Redraws soon; many calls are one redraw."""
        if not self._tick.isActive() and self.isVisible():
            self._tick.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.redraw()

    def redraw(self) -> None:
        """Adds new points and paints them."""
        self._tick.stop()
        self.redraws += 1
        stages = self.selected_stages()
        self._show_chips()
        wanted = self.shown_plots()
        for place, name in enumerate(wanted):
            plot = self._plot(name)
            plot.set_curves(list(self._curves(name, stages)))
            # one at a time, so that the window can handle other events in between
            QTimer.singleShot(place * PAINT_MS, plot, plot.update)
        self._arrange(wanted)
        self.area.setVisible(bool(wanted))
        self.empty.setVisible(not wanted)

    def _curves(self, plot: str, stages: list[str]) -> Iterator[Curve]:
        for name in stages:
            yield from self._curves_over(plot, name, len(stages) > 1)
            for run in self.model.earlier.get(name, [])[-SHOWN_EARLIER:]:
                if metric := metric_for(plot, run.metrics):
                    yield Curve(name, "", self._series_of(run, metric), earlier=True)
            run = self.model.stages.get(name) or StageRun(name)
            metric = metric_for(plot, run.metrics) or ""
            for dashed, key in ((False, metric), (True, evaluation_of(metric))):
                if key in run.metrics:
                    label = key if len(stages) == 1 else f"{name} evaluation" if dashed else name
                    yield Curve(label, self._colour(name), self._series_of(run, key), dashed=dashed)

    def _curves_over(self, plot: str, stage: str, several: bool) -> Iterator[Curve]:
        """Those of other runs, which lie below those of this one."""
        for slot, over in self.model.overlay:
            run, style = over.stages.get(stage) or StageRun(stage), OVER[slot]
            metric, name = metric_for(plot, run.metrics) or "", name_of(over.run)
            label = f"{name} {stage}" if several else name
            for dashed, key in ((False, metric), (True, evaluation_of(metric))):
                if key in run.metrics:
                    label = f"{label} eval" if dashed else label
                    series = self._series_of(run, key)
                    yield Curve(label, style.colour, series, dashed=dashed, stroke=style.stroke)

    def _series_of(self, run: StageRun, metric: str) -> Series:
        key = id(run), metric
        if key not in self._series:  # the run is kept with it, so that its id is not reused
            self._series[key] = run, Series(run.metrics[metric], self.smoothing)
        series = self._series[key][1]
        series.catch_up()
        series.set_smoothing(self.smoothing)
        return series

    # Which plots

    def _logged(self) -> set[str]:
        stages = self.selected_stages()
        runs = [run for name in stages for run in self.model.earlier.get(name, [])[-SHOWN_EARLIER:]]
        runs += [self.model.stages[name] for name in stages if name in self.model.stages]
        runs += [over.stages[name] for _, over in self.model.overlay for name in stages if name in over.stages]
        return {metric for run in runs for metric in run.metrics}

    def shown_plots(self) -> list[str]:
        """The visible plots: the default ones, unless others are selected in the menu."""
        logged = self._logged()
        usual = set(first_plots(logged))
        return [plot for plot in plots(logged) if self.chosen_plots.get(plot, plot in usual)]

    def show_plot(self, plot: str, shown: bool = True) -> None:
        """Shows or hides a plot."""
        self.chosen_plots[plot] = shown
        self.redraw()

    def _on_action(self, action: QAction) -> None:
        self.show_plot(action.text(), action.isChecked())

    def fill_menu(self) -> None:
        """Lists every plot with data."""
        self.menu.clear()
        shown = set(self.shown_plots())
        names = plots(self._logged())
        for name in names:
            action = self.menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(name in shown)
        if not names:
            self.menu.addAction("No metrics yet").setEnabled(False)

    @property
    def smoothing(self) -> float:
        """The factor of the moving average, from 0 to 0.99."""
        return self.slider.value() / 100

    # Layout

    def _plot(self, name: str) -> CurvePlot:
        if name not in self.plots:
            self.plots[name] = plot = CurvePlot(name, HELP.get(name, ""), self.area.widget(), unit_of(name))
            plot.pointed.connect(self._point)
            plot.zoomed.connect(self._zoom)
            plot.set_steps(self._steps)
        return self.plots[name]

    def _point(self, step: float | None) -> None:
        for plot in self.plots.values():
            plot.set_cursor_step(step)

    def _zoom(self, steps: Range | None) -> None:
        self._steps = steps
        for plot in self.plots.values():
            plot.set_steps(steps)

    def _arrange(self, wanted: list[str]) -> None:
        """Lays the plots out in as few rows as their width allows."""
        columns = self._columns(len(wanted))
        places = {name: divmod(place, columns) for place, name in enumerate(wanted)}
        if places != getattr(self, "_places", None):
            self._places = places
            self._place(places, columns)

    def _columns(self, count: int) -> int:
        fitting = max(self.area.viewport().width() // PLOT_WIDTH, 1)
        rows = -(-count // min(fitting, max(count, 1)))
        return max(-(-count // rows) if rows else 1, 1)

    def _place(self, places: dict[str, tuple[int, int]], columns: int) -> None:
        for name, plot in self.plots.items():
            self.grid.removeWidget(plot)
            plot.setVisible(name in places)
        for name, (row, column) in places.items():
            self.grid.addWidget(self.plots[name], row, column)
        rows = max((row for row, _ in places.values()), default=-1) + 1
        for line in range(max(self.grid.columnCount(), columns)):
            self.grid.setColumnStretch(line, 1 if line < columns else 0)
        for line in range(max(self.grid.rowCount(), rows)):
            self.grid.setRowStretch(line, 1 if line < rows else 0)
            self.grid.setRowMinimumHeight(line, PLOT_HEIGHT if line < rows else 0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._arrange([name for name in self.shown_plots() if name in self.plots])
        return False

    def _show_chips(self) -> None:
        stages, selected = self._stages(), set(self.selected_stages())
        for name in stages:
            if name not in self.chips:
                self._add_chip(name)
        for name, chip in self.chips.items():
            chip.setChecked(name in selected)
            chip.setVisible(name in stages)

    def _add_chip(self, name: str) -> None:
        chip = QPushButton(name, checkable=True)
        chip.setToolTip(f"Show the curves of {name}")
        colour = self._colour(name)
        chip.setStyleSheet(f"QPushButton:checked {{ border-color: {colour}; color: {colour} }}")
        chip.clicked.connect(self._on_chip)
        self.chips[name] = chip
        self._chip_row.insertWidget(len(self.chips) - 1, chip)
