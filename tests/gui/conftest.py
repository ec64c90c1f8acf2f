"""The editor's real main window, offscreen, with a few hands to use it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["QT_API"] = os.environ["PYTEST_QT_API"] = "pyside6"

import pytest

from ryven_llm_nodes.host.launch import DEBIAN
from ryven_llm_nodes.program.project import project

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here opens windows; where Qt cannot, that is no fault of this package."""
    try:
        import PySide6.QtWidgets  # noqa: F401

        missing = None
    except ImportError as error:
        missing = pytest.mark.skip(reason=f"Qt does not start ({error}); on Debian: apt install {DEBIAN}")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gui)
            if missing:
                item.add_marker(missing)


PATIENCE = 60_000
"""Milliseconds that a window has to come to what a test waits for: a busy machine is no fault of this package."""


@pytest.fixture
def qtbot(qapp: Any, request: pytest.FixtureRequest) -> Any:
    """pytest-qt's hands, which wait longer than its five seconds."""
    from pytestqt.qtbot import QtBot

    class PatientBot(QtBot):  # type: ignore[misc]
        def waitUntil(self, callback: Callable[[], Any], *, timeout: int = PATIENCE) -> None:
            super().waitUntil(callback, timeout=timeout)

        def waitSignal(self, signal: Any, *, timeout: int = PATIENCE, **how: Any) -> Any:
            return super().waitSignal(signal, timeout=timeout, **how)

    return PatientBot(request)


@pytest.fixture(autouse=True)
def collections_as_before() -> Iterator[None]:
    """Windows leave garbage collection to the main thread; other tests have no event loop for it to run in."""
    yield
    from ryven_llm_nodes.gui.concurrency.garbage_collection import main_collector

    main_collector().stop()


SIZE = (1500, 860)
"""The size of every window: the screen of the offscreen platform is smaller than any canvas that is worth testing."""


@pytest.fixture(autouse=True)
def layout_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the layout of windows is kept: each test begins without one, and without choices."""
    from ryven_llm_nodes.gui.state import preferences
    from ryven_llm_nodes.gui.window import remembered

    choices = tmp_path_factory.mktemp("choices") / "preferences.json"
    monkeypatch.setattr(preferences, "file", lambda: choices)
    monkeypatch.setattr(remembered, "file", lambda: tmp_path / "window.json")
    return tmp_path / "window.json"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions of message boxes; each is answered with yes."""
    from qtpy.QtWidgets import QMessageBox

    questions: list[str] = []
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *a: questions.append(a[2]) or yes)
    return questions


class Editor:
    """A main window with the shell, and what a user does with it."""

    def __init__(self, window: Any, qtbot: Any) -> None:
        self.window, self.shell, self.qtbot = window, window.llm_shell, qtbot

    @property
    def flow(self) -> Any:
        return self.shell.flows.current_flow()

    @property
    def view(self) -> Any:
        return self.shell.flows.current_view()

    @property
    def state(self) -> Any:
        from ryven_llm_nodes.gui.state.flow_state import flow_state

        return flow_state(self.flow)

    def node(self, name: str) -> Any:
        """The node called ``name``."""
        return next(node for node in self.flow.nodes if node.name == name)

    def place(self, kind: type, name: str = "", **params: Any) -> Any:
        """Places a node as the palette does."""
        from ryven_llm_nodes.gui.state.edits import rename, set_value

        self.shell.palette.chosen.emit(kind)
        node = self.flow.nodes[-1]
        if name:
            rename(node, name)
        for key, value in params.items():
            set_value(node, key, value)
        return node

    def wire(self, source: Any, target: Any, port: str) -> None:
        """Draws a wire from the only output of ``source``."""
        names = [declared.name for declared in target.in_ports]
        self.view.connect_node_ports__cmd(source.outputs[0], target.inputs[names.index(port)])

    def select(self, *nodes: Any) -> None:
        """Selects nodes, as a click does."""
        self.view.select_items([node.gui.item for node in nodes])

    def log(self) -> list[str]:
        """Collects the lines of the log from now on."""
        lines: list[str] = []
        self.state.model.logged.connect(lines.append)
        return lines

    def run(self, to: Any = None, timeout: int = 120_000) -> Any:
        """Runs the flow and waits for its end; returns the outcome."""
        with self.qtbot.waitSignal(self.shell.runs.finished, timeout=timeout) as blocker:
            assert self.shell.commands.run(to=to)
        return blocker.args[1]

    def wait_for_step(self, name: str, step: int = 1, timeout: int = 120_000) -> None:
        """Waits until the stage ``name`` has done ``step`` optimizer steps."""
        stages = self.state.model.stages
        self.qtbot.waitUntil(lambda: name in stages and stages[name].done >= step, timeout=timeout)

    def settle(self, milliseconds: int = 250) -> None:
        """Lets queued events and timers do their work."""
        self.qtbot.wait(milliseconds)


@pytest.fixture
def open_editor(
    qapp: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Editor]]:
    """Opens a project (default: an empty one) in a main window of its own; the current folder is a fresh one.

    Whatever code came with it may run, unless it is not ``trusted``: then the user is asked, as ever.
    """
    from ryven_llm_nodes.gui.editor import open_window

    monkeypatch.chdir(tmp_path)
    windows: list[Any] = []

    def open_project(
        content: Mapping[str, Any] | None = None, path: Path | None = None, trusted: bool = True
    ) -> Editor:
        window = open_window(content or project("pipeline", [], []), qapp, path)
        windows.append(window)
        window.resize(*SIZE)
        if trusted:
            window.llm_shell.runs.ask = lambda items: True
        editor = Editor(window, qtbot)
        editor.settle(50)
        return editor

    yield open_project
    for window in windows:
        window.llm_shell.runs.shut_down(patience=60)
        window.close()
        window.deleteLater()
    qapp.processEvents()


@pytest.fixture(scope="module")
def window_of_module(qapp: Any) -> Iterator[Any]:
    """One main window for all tests of a module: opening one takes seconds."""
    from ryven_llm_nodes.gui.editor import open_window

    window = open_window(project("pipeline", [], []), qapp)
    window.resize(*SIZE)
    yield window
    window.llm_shell.runs.shut_down(patience=60)
    window.close()
    window.deleteLater()
    qapp.processEvents()


@pytest.fixture
def shared(window_of_module: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Editor:
    """The window of the module with one empty flow, as a new window has it."""
    monkeypatch.chdir(tmp_path)
    editor = Editor(window_of_module, qtbot)
    session, document = window_of_module.core_session, editor.shell.document
    for flow in session.flows[1:]:
        session.delete_flow(flow)
    editor.settle(20)
    editor.view._select_all_action()
    editor.view.remove_selected_components__cmd()
    editor.view._undo_stack.clear()
    editor.view.hide_node_list_widget()
    editor.view.resetTransform()
    editor.state.clear_problems()
    session.rename_flow(editor.flow, "pipeline")
    document.place(None)
    document.unchanged()
    editor.settle(20)
    return editor


@pytest.fixture
def editor(open_editor: Callable[..., Editor]) -> Editor:
    """An editor with an empty flow."""
    return open_editor()


@pytest.fixture
def start(qapp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """What ``ryven-llm edit`` does before it waits; returns the shell. The current folder is a fresh one."""
    from qtpy.QtCore import QEvent

    from ryven_llm_nodes.gui.editor import start as start_editor

    monkeypatch.chdir(tmp_path)
    windows: list[Any] = []

    def begin(*given: Any) -> Any:
        windows.append(start_editor(*given))
        return windows[-1].llm_shell

    yield begin
    for window in windows:
        window.close()
        window.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
