"""A file is shown by one window; a new project is saved without a demo that nothing was done with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.gui.document.one_window import raise_window
from ryven_llm_nodes.gui.state.edits import rename
from ryven_llm_nodes.program.flow import read_project

DRAWN = flows.draw("base -> sft", base=flows.node(LoadModel, path="model"), sft=flows.node(SFT))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that another editor was started for."""
    from ryven_llm_nodes.gui.document import opening

    paths: list[Path] = []
    monkeypatch.setattr(opening, "start_another", paths.append)
    return paths


def test_the_open_file_is_not_opened_again(
    open_editor: Callable[..., Any], tmp_path: Path, started: list[Path]
) -> None:
    path = flows.save(DRAWN, tmp_path / "flow.json")
    os.symlink(path, tmp_path / "link.json")
    editor = open_editor(DRAWN, path)
    editor.window.hide()
    assert editor.shell.opening.open_path(tmp_path / "link.json")
    assert started == []
    assert editor.window.isVisible(), "the window that shows it came to the front"
    assert editor.shell.opening.open_path(flows.save(DRAWN, tmp_path / "other.json"))
    assert started == [tmp_path / "other.json"]


RAISE = """
import sys
from pathlib import Path
from ryven_llm_nodes.gui.document.one_window import raise_window
print(raise_window(Path(sys.argv[1])))
"""


def test_another_process_brings_the_window_to_the_front(open_editor: Callable[..., Any], tmp_path: Path) -> None:
    path = flows.save(DRAWN, tmp_path / "flow.json")
    editor = open_editor(DRAWN, path)
    editor.window.hide()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", RAISE, str(path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as other:
        editor.qtbot.waitUntil(lambda: other.poll() is not None)
        assert other.stdout is not None
        assert other.stdout.read() == "True\n"
    assert editor.window.isVisible()
    editor.window.close()
    assert not raise_window(path), "a closed window answers no more"


def test_what_a_killed_process_left_does_not_matter(open_editor: Callable[..., Any], tmp_path: Path) -> None:
    from qtpy.QtNetwork import QLocalServer

    from ryven_llm_nodes.gui.document.one_window import _name

    path = flows.save(DRAWN, tmp_path / "flow.json")
    left = QLocalServer()
    assert left.listen(_name(path))
    full = Path(left.fullServerName())
    os.rename(full, f"{full}.kept")  # as a kill leaves it: the name is there, and nothing answers
    left.close()
    os.rename(f"{full}.kept", full)
    editor = open_editor(DRAWN, path)
    assert editor.shell.one_window._server.isListening()


class TestSavedFlows:
    def new_flow(self, editor: Any) -> Any:
        editor.window.core_session.create_flow("mine")
        editor.settle(50)
        rename(editor.place(SFT), "own")
        return editor

    def test_an_untouched_demo_is_left_out(self, open_editor: Callable[..., Any], tmp_path: Path) -> None:
        editor = self.new_flow(open_editor(DRAWN))
        said: list[str] = []
        editor.shell.saving.saved.connect(said.append)
        for _ in range(2):
            assert editor.shell.saving.save_to(tmp_path / "mine.json")
            assert list(read_project(tmp_path / "mine.json")["flows"]) == ["mine"]
        assert said[0] == "mine.json (without flow, which was not changed)"
        assert not editor.shell.document.modified

    def test_a_changed_one_is_saved_too(self, open_editor: Callable[..., Any], tmp_path: Path) -> None:
        editor = open_editor(DRAWN)
        editor.place(SFT)
        self.new_flow(editor)
        assert editor.shell.saving.save_to(tmp_path / "mine.json")
        assert list(read_project(tmp_path / "mine.json")["flows"]) == ["flow", "mine"]

    def test_flows_of_a_file_are_never_left_out(self, open_editor: Callable[..., Any], tmp_path: Path) -> None:
        path = flows.save(DRAWN, tmp_path / "flow.json")
        editor = self.new_flow(open_editor(DRAWN, path))
        assert editor.shell.saving.save()
        assert list(read_project(path)["flows"]) == ["flow", "mine"]

    def test_a_single_flow_is_saved_as_it_is(self, open_editor: Callable[..., Any], tmp_path: Path) -> None:
        editor = open_editor(DRAWN)
        assert editor.shell.saving.save_to(tmp_path / "demo.json")
        assert list(read_project(tmp_path / "demo.json")["flows"]) == ["flow"]


def test_the_theme_can_be_switched_back(editor: Any) -> None:
    """With real actions of the menu; Ryven filled it before the theme of this package existed."""
    from ryven_llm_nodes.gui.style.theme import LLMTheme

    design = editor.window.session_gui.design
    menu = editor.window.ui.menuFlow_Design_Style
    editor.place(SFT)
    names = [action.text() for action in menu.actions()]
    assert sum(name.startswith("llm") for name in names) == 1
    other = next(action for action in menu.actions() if action.text() and not action.text().startswith("llm"))
    other.trigger()
    assert not isinstance(design.flow_theme, LLMTheme)
    next(action for action in menu.actions() if action.text().startswith("llm")).trigger()
    editor.settle(50)
    assert isinstance(design.flow_theme, LLMTheme)
