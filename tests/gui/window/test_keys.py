"""Keys, and the windows that they hold in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDialog, QShortcut

from ryven_llm_nodes.gui.widgets.first_paint import first_paint
from ryven_llm_nodes.gui.window.actions import ACTIONS

PLAIN, CONTROL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


def _reward(shell: Any) -> Any:
    reward = next(node for node in shell.flows.current_flow().nodes if node.name == "variety")
    shell.coding.show(reward, "code")
    return shell.coding.windows[reward, "code"]


def _script(shell: Any) -> Any:
    from ryven_llm_nodes.gui.code.script_window import CodeWindow
    from ryven_llm_nodes.program import build, read_live_flow

    program = build(read_live_flow(shell.flows.current_flow(), shell.document.folder))
    shell.commands.code_window = CodeWindow(program, shell.window)
    return shell.commands.code_window


def _of(part: str, method: str, name: str) -> Callable[[Any], Any]:
    def open_window(shell: Any) -> Any:
        getattr(getattr(shell, part), method)()
        return getattr(getattr(shell, part), name)

    return open_window


WINDOWS: dict[str, Callable[[Any], Any]] = {
    "reward": _reward,
    "script": _script,
    "help": _of("helping", "show_shortcuts", "window"),
    "runs": _of("history", "show_runs", "runs"),
    "stages": _of("history", "show_kept", "kept"),
    "queue": _of("queueing", "show", "window"),
    "chat": _of("chatting", "show", "chat"),
}


def to_front(editor: Any, window: Any) -> None:
    """Makes ``window`` the active one for good: the platform without a screen takes that back while windows appear."""
    editor.qtbot.waitUntil(lambda: first_paint(editor.window).is_done)
    editor.settle(400)
    window.activateWindow()
    editor.qtbot.waitUntil(lambda: QApplication.activeWindow() is window)


def triggered(editor: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done from now on, by key or otherwise."""
    done: list[str] = []
    commands, saving, starting = ("commands", "run", "check"), ("saving", "save"), ("starting", "ask_configuration")
    for part, name in ((part, name) for part, *names in (commands, saving, starting) for name in names):
        monkeypatch.setattr(getattr(editor.shell, part), name, lambda *_, name=name: done.append(name))
    return done


@pytest.fixture
def opened(open_editor: Callable[..., Any], data: Path) -> Any:
    editor = open_editor(flows.alone("grpo"))
    editor.shell.document.root = data
    editor.window.show()
    return editor


@pytest.mark.parametrize("kind", WINDOWS)
def test_keys_hold_in_every_window(opened: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    done, window = triggered(opened, monkeypatch), WINDOWS[kind](opened.shell)
    window.show()
    to_front(opened, window)
    target = QApplication.focusWidget() or window
    for key, modifier in ((Qt.Key.Key_F5, PLAIN), (Qt.Key.Key_S, CONTROL), (Qt.Key.Key_F6, PLAIN)):
        opened.qtbot.keyClick(target, key, modifier)
    assert done == ["run", "save", "check"]
    canvas = [action for action in ACTIONS if action.is_of_canvas]
    assert not any(opened.shell.actions[action.name] in window.actions() for action in canvas)
    window.close()


def test_a_window_that_waits_for_an_answer_keeps_its_keys(opened: Any) -> None:
    question = QDialog(opened.window, modal=True)
    question.show()
    finder = opened.shell.helping.find()
    for one in (question, finder):
        assert one.isVisible()
        assert one.actions() == []
        one.close()


@pytest.mark.parametrize(("key", "does"), [(Qt.Key.Key_S, "save"), (Qt.Key.Key_I, "ask_configuration")])
def test_ryven_has_no_second_shortcut_for_a_key(
    opened: Any, monkeypatch: pytest.MonkeyPatch, key: Qt.Key, does: str
) -> None:
    done = triggered(opened, monkeypatch)
    to_front(opened, opened.window)
    opened.view.setFocus()
    opened.qtbot.keyClick(opened.view, key, CONTROL)
    assert done == [does]
    keys = {action.key for action in ACTIONS if action.key}
    others = opened.window.findChildren(QShortcut)
    assert not [one.key().toString() for one in others if one.isEnabled() and one.key().toString() in keys]


def test_save_is_found_and_on_the_sheet(opened: Any) -> None:
    opened.shell.actions["shortcuts"].trigger()
    assert "Ctrl+S" in opened.shell.helping.window.browser.toPlainText()


def test_the_next_problem_takes_the_keys_to_the_main_window(opened: Any) -> None:
    from ryven_llm_nodes.errors import Problem

    node = opened.node("variety")
    opened.state.show_problems([Problem("is bad", "Reward Function 'variety'", "code")])
    window = _reward(opened.shell)
    opened.qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
    opened.qtbot.keyClick(window.view, Qt.Key.Key_F4)
    opened.qtbot.waitUntil(lambda: QApplication.activeWindow() is opened.window)
    assert opened.state.selection is node
    window.close()
