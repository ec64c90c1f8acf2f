"""Where the shell takes its panels from: each is imported when it is first shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.state.run_model import RunModel


def inspector_panel(node: LLMNode, model: RunModel, root: Callable[[], Path]) -> QWidget:
    """The form and the code of ``node``; relative paths are looked up in the folder that ``root`` gives."""
    from ryven_llm_nodes.gui.inspector.panel import InspectorPanel

    return InspectorPanel(node, model, root)


def metrics_dock(model: RunModel) -> QWidget:
    """The curves of a flow's stages."""
    from ryven_llm_nodes.gui.curves.dock import MetricsDock

    return MetricsDock(model)


def completions_browser(model: RunModel) -> QWidget:
    """What policies wrote, and its rewards."""
    from ryven_llm_nodes.gui.completions.browser import CompletionsBrowser

    return CompletionsBrowser(model)


def log_view(model: RunModel) -> QWidget:
    """The log of a flow's runs."""
    from ryven_llm_nodes.gui.log.view import LogView

    return LogView(model)


def code_view(text: str) -> QWidget:
    """A read-only view of Python code."""
    from ryven_llm_nodes.gui.code.view import CodeView

    return CodeView(text, True)
