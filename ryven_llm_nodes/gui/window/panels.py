"""The panels of the docks: each is imported when it is first shown."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.gui.state.run_model import RunModel


def metrics_dock(model: RunModel) -> QWidget:
    """The curves of a flow's stages."""
    from ryven_llm_nodes.gui.curves.dock import MetricsDock

    return MetricsDock(model)


def completions_browser(model: RunModel) -> QWidget:
    """The sampled completions and their rewards."""
    from ryven_llm_nodes.gui.completions.browser import CompletionsBrowser

    return CompletionsBrowser(model)


def log_view(model: RunModel) -> QWidget:
    """The log of a flow's runs."""
    from ryven_llm_nodes.gui.log.view import LogView

    return LogView(model)
