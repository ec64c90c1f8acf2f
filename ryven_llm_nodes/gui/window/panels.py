"""The panels of the docks: each is imported when it is first shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.gui.state.run_model import RunModel

if TYPE_CHECKING:
    from ryven_llm_nodes.gui.preview.client import PreviewClient
    from ryven_llm_nodes.gui.preview.panel import Look


def metrics_dock(model: RunModel) -> QWidget:
    """The curves of a flow's stages."""
    from ryven_llm_nodes.gui.curves.dock import MetricsDock

    return MetricsDock(model)


def completions_browser(model: RunModel) -> QWidget:
    """The sampled completions and their rewards."""
    from ryven_llm_nodes.gui.completions.browser import CompletionsBrowser

    return CompletionsBrowser(model)


def preview_panel(model: RunModel, look: Look, client: PreviewClient) -> QWidget:
    """The rows of the selected node."""
    from ryven_llm_nodes.gui.preview.panel import PreviewPanel

    panel, state = PreviewPanel(look, client), model.parent()
    state.selected.connect(panel.show_node)
    panel.show_node(state.selection)
    return panel


def bench_panel(model: RunModel, look: Callable[..., Mapping[str, Any] | str], client: PreviewClient) -> QWidget:
    """What the selected reward gives to completions."""
    from ryven_llm_nodes.gui.bench.panel import BenchPanel

    panel, state = BenchPanel(look, client), model.parent()
    state.selected.connect(panel.show_node)
    panel.show_node(state.selection)
    return panel


def problems_panel(model: RunModel, show_field: Callable[[Any, str], object]) -> QWidget:
    """What was found in a flow; ``show_field`` leads to a field of a node."""
    from ryven_llm_nodes.gui.problems.panel import ProblemsPanel

    panel = ProblemsPanel(model.parent())
    panel.chosen.connect(show_field)
    return panel


def log_view(model: RunModel, show_field: Callable[[Any, str], object]) -> QWidget:
    """The log of a flow's runs; a line about a step leads to its node by ``show_field``."""
    from ryven_llm_nodes.gui.log.view import LogView

    state = model.parent()
    view = LogView(model, lambda step: state.named(step) is not None)
    view.chosen.connect(lambda step, parameter: show_field(state.named(step), parameter))
    return view
