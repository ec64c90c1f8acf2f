"""The table of actions, and what becomes of it in the window."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ryven_llm_nodes.gui.window.actions import ACTIONS


def test_names_and_keys_are_used_once() -> None:
    names, keys = [action.name for action in ACTIONS], [action.key for action in ACTIONS if action.key]
    assert len(names) == len(set(names))
    assert len(keys) == len(set(keys))


def test_every_action_stands_in_one_menu_with_key_and_tooltip(editor: Any) -> None:
    ui, bar = editor.window.ui, editor.window.menuBar()
    own = next(action.menu() for action in bar.actions() if action.text() == "LLM")
    canvas = next(action.menu() for action in ui.menuView.actions() if action.text() == "Canvas")
    canvas.aboutToShow.emit()
    helping = next(action.menu() for action in bar.actions() if action.text() == "Help")
    menus = {"LLM": own, "File": ui.menuFile, "Canvas": canvas, "Help": helping}
    for action in ACTIONS:
        made = editor.shell.actions[action.name]
        assert [name for name, menu in menus.items() if made in menu.actions()] == [action.menu]
        assert made.shortcut().toString() == action.key
        assert made.toolTip().startswith(action.tip)
        assert made.toolTip().endswith(f"({action.key})") == bool(action.key)


def test_open_stands_before_save_and_quit_is_last(editor: Any) -> None:
    ui, actions = editor.window.ui, editor.shell.actions
    order = ui.menuFile.actions()
    assert order[0] == actions["new"]
    assert order.index(actions["open"]) < order.index(actions["import"]) < order.index(actions["save"])
    assert order[-1] == actions["quit"]
    assert not ui.actionSave_Project.isVisible(), "which asks for a name every time"


@pytest.mark.parametrize(
    ("running", "training", "ending", "enabled"),
    [
        (False, "", "", {"run", "run_afresh", "rehearse"}),
        (True, "", "", {"stop"}),
        (True, "sft", "", {"stop", "keep"}),
        (True, "sft", "sft", {"stop"}),
    ],
)
def test_what_can_be_done_depends_on_the_run(running: bool, training: str, ending: str, enabled: set[str]) -> None:
    shell = SimpleNamespace(runs=SimpleNamespace(running=running, training=training, ending=ending))
    depends = {"run", "run_afresh", "rehearse", "stop", "keep"}
    assert {action.name for action in ACTIONS if action.when(shell)} & depends == enabled
    assert all(action.when(shell) for action in ACTIONS if action.name not in depends)


def test_every_action_calls_what_the_shell_has(editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them once, with everything replaced that would ask, run or close."""
    called: list[str] = []
    shell = editor.shell
    targets = {
        "commands": ("run", "stop", "keep", "check", "generate"),
        "coding": ("show_selected",),
        "history": ("show_runs", "show_kept"),
        "opening": ("ask_and_open",),
        "saving": ("save", "save_as"),
        "flows": ("tidy", "show_all", "show_selected", "search", "switch_map", "duplicate", "bypass", "align"),
        "starting": ("show", "ask_data", "ask_configuration"),
        "helping": ("find", "show_node", "show_shortcuts"),
        "docks": ("step_problem",),
        "connecting": ("show",),
    }
    for part, names in targets.items():
        for name in names:
            assert callable(getattr(getattr(shell, part), name))
            monkeypatch.setattr(getattr(shell, part), name, lambda *_, name=name, **__: called.append(name))
    for name in ("quit", "show_launch"):
        monkeypatch.setattr(shell, name, lambda name=name: called.append(name))
    for action in ACTIONS:
        action.does(shell)
    assert called == [
        *("run", "run", "run", "stop", "keep", "check", "generate", "show_selected"),
        *("show_launch", "show_runs", "show_kept", "show", "ask_and_open", "ask_data", "ask_configuration", "save"),
        *("save_as", "find", "show_node", "show_shortcuts", "step_problem", "step_problem", "quit", "tidy", "show_all"),
        *("show_selected", "search", "show", "switch_map", "duplicate", "bypass", *["align"] * 6),
    ]
