"""Panels are gone the moment nobody refers to them: those that wait for the garbage collector crash PySide."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flows
import pytest
import records
from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.catalogue import GRPO, LLMNode, LoadDataset, LoadModel, RewardFunction
from ryven_llm_nodes.gui.code.view import CodeView
from ryven_llm_nodes.gui.coding.window import CodeFieldWindow
from ryven_llm_nodes.gui.completions.browser import CompletionsBrowser
from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.curves.dock import MetricsDock
from ryven_llm_nodes.gui.history.kept_stages_window import KeptWindow
from ryven_llm_nodes.gui.history.runs_window import RunsWindow
from ryven_llm_nodes.gui.inspector.panel import InspectorPanel
from ryven_llm_nodes.gui.log.view import LogView
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.widgets.weak_calls import weakly
from ryven_llm_nodes.host.session import new_session
from ryven_llm_nodes.run.events import Completions, Log, Metrics, RunStarted, StageStarted


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def inspector_of(kind: type[LLMNode]) -> Callable[[RunModel], QWidget]:
    def make(model: RunModel) -> QWidget:
        node = new_session().create_flow("flow").create_node(kind)
        node.gui = SimpleNamespace(flow_view=lambda: None)
        return InspectorPanel(node, model)

    return make


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "make",
    [
        *map(inspector_of, (GRPO, LoadModel, LoadDataset, RewardFunction)),
        MetricsDock,
        CompletionsBrowser,
        LogView,
        lambda model: CodeView("x = 1", False),
        lambda model: code_window(model),
    ],
    ids=[
        "GRPO",
        "LoadModel",
        "LoadDataset",
        "RewardFunction",
        "metrics",
        "completions",
        "log",
        "code",
        "window of code",
    ],
)
def test_nothing_keeps_a_panel_alive(make: Callable[[RunModel], QWidget], qtbot: Any) -> None:
    model = RunModel()
    widget: QWidget | None = make(model)
    known = weakref.ref(widget)
    widget.resize(340, 600)
    widget.show()
    for event in (RunStarted("", ("grpo",)), StageStarted("grpo"), Metrics("grpo", 1, {"loss": 1.0}), Log("", "x")):
        model.post(event)
    model.post(Completions("grpo", 0, "r", ("p",), ("c",), (1.0,)))
    qtbot.wait(300)
    widget.hide()
    widget = None
    assert known() is None
    model.post(Metrics("grpo", 2, {"loss": 1.0}))
    qtbot.wait(20)


def code_window(model: RunModel) -> QWidget:
    node = new_session().create_flow("flow").create_node(RewardFunction)
    node.gui = SimpleNamespace(flow_view=lambda: None)
    return CodeFieldWindow(node, "code", Path, lambda *_: "", lambda _: {"grpo": "GRPO 'grpo'"})


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("kind", [RunsWindow, KeptWindow])
def test_nothing_keeps_a_window_alive(kind: type[QWidget], data: Path, tmp_path: Path, qtbot: Any) -> None:
    records.record(data, tmp_path, flows.alone("sft"))
    records.keep(tmp_path / "sft", "sft")
    window: Any = kind(tmp_path, print) if kind is RunsWindow else kind(tmp_path)
    known = weakref.ref(window)
    window.show()
    window.refresh()
    qtbot.waitUntil(lambda: window.table.rowCount() == 1)
    background().wait(10)
    qtbot.wait(50)
    window.hide()
    window = None
    assert known() is None


def test_a_weak_call_outlives_its_object() -> None:
    class Thing:
        def double(self, number: int) -> int:
            return 2 * number

    thing: Thing | None = Thing()
    call = weakly(thing.double, -1)
    assert call(4) == 8
    thing = None
    assert call(4) == -1
    assert weakly(abs)(-3) == 3
