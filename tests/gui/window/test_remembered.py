"""The layout of the window belongs to its user: no project brings one along."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtCore import QSize, Qt

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.gui.window.remembered import first_size
from ryven_llm_nodes.program.flow import read_project

STOCK = ("variables_dock", "logger_dock", "settings_dock", "source_dock")
DRAWN = flows.draw("base -> sft", base=flows.node(LoadModel, path="model"), sft=flows.node(SFT))


def open_file(open_editor: Callable[..., Any], path: Path) -> Any:
    editor = open_editor(read_project(path), path)
    editor.settle(150)
    return editor


def inspector_width(editor: Any) -> int:
    return int(editor.window.flow_UIs[editor.flow].ui.inspector_dock.width())


def test_a_saved_flow_reopens_in_the_layout_of_its_user(open_editor: Callable[..., Any], tmp_path: Path) -> None:
    path = flows.save(DRAWN, tmp_path / "flow.json")
    first = open_file(open_editor, path)
    width = inspector_width(first)
    assert 300 < width < 450
    first.place(SFT)
    assert first.shell.saving.save()
    assert {"geometry", "state", "flow_uis", "flow_ui_template"}.isdisjoint(json.loads(path.read_text()))
    first.window.close()

    again = open_file(open_editor, path)
    assert abs(inspector_width(again) - width) <= 2
    docks = again.window.flow_UIs[again.flow].ui
    assert not any(getattr(docks, name).isVisibleTo(docks.inspector_dock.parent()) for name in STOCK)
    assert again.window.ui.nodes_dock.isVisible()


def test_a_layout_in_a_file_is_not_taken(open_editor: Callable[..., Any], tmp_path: Path) -> None:
    """As earlier versions and stock Ryven write it: all docks open, and the inspector takes half of the window."""
    path = flows.save(DRAWN, tmp_path / "flow.json")
    first = open_file(open_editor, path)
    flow_ui = first.window.flow_UIs[first.flow]
    for name in STOCK:
        getattr(flow_ui.ui, name).show()
    first.window.save_project(str(path))
    assert "flow_uis" in json.loads(path.read_text())

    again = open_file(open_editor, path)
    docks = again.window.flow_UIs[again.flow].ui
    assert not any(getattr(docks, name).isVisibleTo(docks.inspector_dock.parent()) for name in STOCK)
    assert 300 < inspector_width(again) < 450


def test_size_and_docks_are_remembered_for_any_flow(open_editor: Callable[..., Any], layout_file: Path) -> None:
    first = open_editor()
    first.window.resize(780, 700)
    first.window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, first.shell.docks.log)
    first.shell.docks.preview.close()
    flow_ui = first.window.flow_UIs[first.flow]
    flow_ui.ui.logger_dock.show()
    first.settle(100)
    first.window.close()
    assert layout_file.is_file()

    from qtpy.QtWidgets import QApplication

    from ryven_llm_nodes.gui.editor import open_window

    window = open_window(DRAWN, QApplication.instance())
    first.settle(100)
    docks = window.llm_shell.docks
    assert window.size() == QSize(780, 700)
    assert window.dockWidgetArea(docks.log) == Qt.DockWidgetArea.RightDockWidgetArea
    assert docks.preview.isHidden()
    assert not docks.metrics.isHidden()
    (again,) = window.flow_UIs.values()
    assert not again.ui.logger_dock.isHidden(), "what the user has opened stays open"
    window.close()
    window.deleteLater()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"geometry": 3}', '{"docks": "zz", "flow": "ü"}'])
def test_a_broken_file_gives_the_default(text: str, open_editor: Callable[..., Any], layout_file: Path) -> None:
    layout_file.write_text(text)
    editor = open_editor()
    editor.settle(50)
    assert not editor.shell.docks.metrics.isHidden()
    assert 300 < inspector_width(editor) < 450


@pytest.mark.parametrize(
    ("screen", "size"),
    [
        ((1280, 720), (1200, 680)),
        ((1024, 700), (1024, 660)),
        ((1920, 1080), (1632, 918)),
        ((3840, 2160), (3264, 1836)),
    ],
)
def test_the_first_size_fits_the_screen(screen: tuple[int, int], size: tuple[int, int]) -> None:
    assert first_size(QSize(*screen)) == QSize(*size)
