"""Docks, and the sizes that the window starts with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QStackedWidget, QTabWidget, QWidget

from ryven_llm_nodes.gui.canvas.empty_hint import Hint
from ryven_llm_nodes.gui.canvas.fitting import fitting_of
from ryven_llm_nodes.gui.canvas.minimap import Minimap
from ryven_llm_nodes.gui.canvas.tidy import tidy
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.widgets.first_paint import first_paint
from ryven_llm_nodes.gui.window import panels
from ryven_llm_nodes.gui.window.remembered import Layout, first_size
from ryven_llm_nodes.host.annotations import load
from ryven_llm_nodes.program.project import COLUMN

PALETTE_WIDTH: Final = 210
INSPECTOR_WIDTH: Final = 350
BOTTOM_HEIGHT: Final = 210
PANELS_MS: Final = 30
UNUSED_DOCKS: Final = ("variables_dock", "logger_dock", "settings_dock", "source_dock")
"""Docks of a flow that are useless for a pipeline; its menu brings them back."""


class Pages(QStackedWidget):
    """One panel per flow, created when its flow is first shown."""

    def __init__(self, make: Callable[[RunModel], QWidget]) -> None:
        super().__init__()
        self._make = make
        self._pages: dict[RunModel, QWidget] = {}

    def show_model(self, model: RunModel) -> QWidget:
        """Brings the panel of ``model`` to the front."""
        if model not in self._pages:
            self._pages[model] = self._make(model)
            self.addWidget(self._pages[model])
        self.setCurrentWidget(self._pages[model])
        return self._pages[model]


class Docks:
    """The docks around the canvas: palette, log, metrics, completions, and those of which a panel is given."""

    def __init__(
        self,
        window: Any,
        palette: QWidget,
        preview: Callable[[RunModel], QWidget],
        bench: Callable[[RunModel], QWidget],
        problems: Callable[[RunModel], QWidget],
        log: Callable[[RunModel], QWidget],
    ) -> None:
        self._wanted: RunModel | None = None
        self._first_paint = first_paint(window)
        self._later = QTimer(window, interval=PANELS_MS, singleShot=True)
        self._later.timeout.connect(self.show_model)
        self.log = _dock(window, "Run log", "llm_runlog", Pages(log))
        self.metrics = _dock(window, "Metrics", "llm_metrics", Pages(panels.metrics_dock))
        self.completions = _dock(window, "Completions", "llm_completions", Pages(panels.completions_browser))
        self.preview = _dock(window, "Preview", "llm_preview", Pages(preview))
        self.bench = _dock(window, "Bench", "llm_bench", Pages(bench))
        self.problems = _dock(window, "Problems", "llm_problems", Pages(problems))
        self.palette = window.ui.nodes_dock
        self.stock_palette = window.nodes_list_widget  # Ryven still writes to it
        self.palette.setWidget(palette)
        self.stock_palette.setParent(window)
        self.stock_palette.hide()
        for dock in (window.ui.flows_dock, self.palette, *self._with_pages):
            _no_title(dock)

    @property
    def _with_pages(self) -> tuple[QDockWidget, ...]:
        """Those that show the flow in front."""
        return (self.log, self.problems, self.metrics, self.completions, self.preview, self.bench)

    def show_model_soon(self, model: RunModel) -> None:
        """Makes every dock show ``model`` once the window has been painted, so that it opens sooner."""
        self._wanted = model
        self._first_paint.then(self._later.start)

    def show_model(self) -> None:
        """Makes every dock show the model that was requested last."""
        if self._wanted is not None:
            for dock in self._with_pages:
                dock.widget().show_model(self._wanted)

    def step_problem(self, by: int) -> None:
        """Goes to the next finding of the flow in front, or to the one before."""
        self.show_model()
        panel = self.problems.widget().currentWidget()
        if panel is not None and panel.places():
            self.problems.show()  # first: the canvas may get smaller by it
            self.problems.raise_()
            panel.step(by)


def _dock(window: Any, title: str, name: str, content: QWidget) -> QDockWidget:
    dock = QDockWidget(title, window)
    dock.setObjectName(name)
    dock.setWidget(content)
    window.ui.menuDocks.addAction(dock.toggleViewAction())
    return dock


def _no_title(dock: QDockWidget) -> None:
    """The title would repeat the tab of a dock."""
    bar = QWidget()
    bar.setFixedHeight(0)
    dock.setTitleBarWidget(bar)


def dress_flow(flow_ui: Any, view: Any) -> None:
    """Leaves only the inspector and the history next to a canvas, or what its user has put there; and nodes on it."""
    view._stylus_modes_proxy.hide()
    view._menu_layout_proxy.hide()
    for dock in (flow_ui.ui.inspector_dock, flow_ui.ui.undo_history_dock):
        _no_title(dock)
    Hint(view)
    Minimap(view)
    load(view)
    flow_ui.centralWidget().layout().setContentsMargins(0, 0, 0, 0)
    for name in UNUSED_DOCKS:
        getattr(flow_ui.ui, name).hide()
    flow_ui.ui.inspector_dock.raise_()
    QTimer.singleShot(0, flow_ui, lambda: _arrange_flow(flow_ui))


def _arrange_flow(flow_ui: Any) -> None:
    if not Layout().restore_flow(flow_ui):
        flow_ui.resizeDocks([flow_ui.ui.inspector_dock], [INSPECTOR_WIDTH], Qt.Orientation.Horizontal)


def lay_out(window: Any) -> None:
    """Shows all nodes of a project, and applies the automatic layout if a program has placed them."""
    for view in window.session_gui.flow_views.values():
        for item in view.node_items.values():
            item.update_shape()
        if not _was_drawn(view):
            tidy(view)
        fitting_of(view).fit()


def _was_drawn(view: Any) -> bool:
    """Whether an editor has placed the nodes, as in the flow of a run; a program puts them into columns."""
    return any(item.pos().x() % COLUMN for item in view.node_items.values())


def arrange(window: Any, docks: Docks) -> None:
    """Arranges the docks as their user has left them, else by default."""
    bottom = Qt.DockWidgetArea.BottomDockWidgetArea
    window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
    window.ui.consoleDock.hide()
    window.addDockWidget(bottom, docks.log)
    window.addDockWidget(bottom, docks.metrics)
    window.splitDockWidget(docks.log, docks.metrics, Qt.Orientation.Horizontal)
    window.tabifyDockWidget(docks.log, docks.problems)
    window.tabifyDockWidget(docks.metrics, docks.completions)
    window.tabifyDockWidget(docks.completions, docks.preview)
    window.tabifyDockWidget(docks.preview, docks.bench)
    docks.log.raise_()
    docks.metrics.raise_()
    docks.palette.raise_()
    layout = Layout()
    if not layout.restore_size(window):
        window.resize(first_size(window.screen().availableSize()))
    QTimer.singleShot(0, window, lambda: layout.restore_docks(window) or _resize(window, docks))  # as shown by then
    if window._project_content:
        QTimer.singleShot(0, window, lambda: lay_out(window))


def _resize(window: Any, docks: Docks) -> None:
    window.resizeDocks([docks.palette], [PALETTE_WIDTH], Qt.Orientation.Horizontal)
    window.resizeDocks([docks.log, docks.metrics], [BOTTOM_HEIGHT, BOTTOM_HEIGHT], Qt.Orientation.Vertical)
    window.resizeDocks([docks.log, docks.metrics], [560, 900], Qt.Orientation.Horizontal)
