"""All commands of the editor: one table that feeds menus, toolbar, keys and tooltips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.gui.style.colours import ACCENT, GOOD, OUTPUT, VIOLET, WARN
from ryven_llm_nodes.gui.style.icons import icon

Check = Callable[[Any], bool]


def _always(shell: Any) -> bool:
    return True


def _idle(shell: Any) -> bool:
    return not shell.runs.running


def _running(shell: Any) -> bool:
    return bool(shell.runs.running)


def _training(shell: Any) -> bool:
    """A stage has done a step, so that it can be ended early, and was not yet asked to."""
    return bool(shell.runs.training) and not shell.runs.ending


ALIGNMENTS: Final = {
    "left": "Move the selected nodes to the left edge of the leftmost",
    "right": "Move the selected nodes to the right edge of the rightmost",
    "top": "Move the selected nodes to the upper edge of the highest",
    "bottom": "Move the selected nodes to the lower edge of the lowest",
    "column": "Put the selected nodes below each other, with equal gaps",
    "row": "Put the selected nodes next to each other, with equal gaps",
}
"""How nodes can be aligned, and what that does."""


@dataclass(frozen=True)
class Action:
    """A command: ``does`` is called with the shell, ``when`` tells, given the shell, whether it is available.

    ``menu`` is its menu, ``bar`` whether it is also on the toolbar. It starts a ``group`` in both.
    In the File menu it is placed ``before`` an action of Ryven's, else at the end.
    The keys of the Canvas menu are for the canvas alone, single letters among them; all others hold in every window.
    """

    name: str
    text: str
    tip: str
    does: Callable[[Any], object]
    key: str = ""
    menu: str = "LLM"
    when: Check = _always
    bar: bool = False
    group: bool = False
    glyph: str = ""
    colour: str = ""
    before: str = ""
    is_on: Check | None = None
    """For a choice that is on or off: whether it is on."""

    @property
    def is_of_canvas(self) -> bool:
        """Whether its key is for the canvas alone."""
        return self.menu == "Canvas"

    @property
    def tooltip(self) -> str:
        """What it does, and its key."""
        return f"{self.tip} ({self.key})" if self.key else self.tip


ACTIONS: Final = (
    Action(
        "run", "Run", "Run the flow of this tab", lambda shell: shell.commands.run(),
        key="F5", when=_idle, bar=True, glyph="play", colour=GOOD,
    ),
    Action(
        "run_afresh", "Retrain All", "Train every stage from scratch, without reusing cached ones",
        lambda shell: shell.commands.run(fresh=True), when=_idle, glyph="play", colour=WARN,
    ),
    Action(
        "rehearse", "Rehearse",
        "Run every stage for a few steps, with the rehearsal models, into a folder of its own; tells how long the real "
        "run takes",
        lambda shell: shell.commands.run(rehearse=True), key="Ctrl+F5", when=_idle, bar=True, glyph="rehearse",
        colour=ACCENT,
    ),
    Action(
        "enqueue", "Add to Queue", "Queue the flow of this tab as it is now, to be run after those before it",
        lambda shell: shell.queueing.add(), key="Alt+F5",
    ),
    Action(
        "stop", "Stop", "Stop after this step, and save a checkpoint; again: at once",
        lambda shell: shell.commands.stop(), key="Shift+F5", when=_running, bar=True, glyph="stop", colour=OUTPUT,
    ),
    Action(
        "keep", "Stop and Keep", "End the running stage at this step, and pass its model on as is",
        lambda shell: shell.commands.keep(), key="Ctrl+Shift+F5", when=_training, bar=True, glyph="keep", colour=WARN,
    ),
    Action(
        "isolate", "Isolated Runs",
        "Each stage in a process of its own: Stop ends it whatever its code does, and its memory is free at its end",
        lambda shell: shell.runs.isolate(not shell.runs.isolated),
        is_on=lambda shell: shell.runs.isolated,
    ),
    Action(
        "check", "Check", "Find every problem of the flow", lambda shell: shell.commands.check(),
        key="F6", bar=True, group=True, glyph="check", colour=ACCENT,
    ),
    Action(
        "generate", "Generate Code", "Show the flow as one script", lambda shell: shell.commands.generate(),
        key="F7", bar=True, glyph="code", colour=VIOLET,
    ),
    Action(
        "edit_code", "Edit Code in a Window", "Edit the code of the selected node, and test a reward on rows",
        lambda shell: shell.coding.show_selected(), key="Ctrl+Shift+E",
    ),
    Action(
        "sweep", "Sweep...", "The sweep of the flow: its trials, what matters, and the best values; run it",
        lambda shell: shell.sweeping.show(), key="F9",
    ),
    Action(
        "launch", "Launch Settings...", "On how many processes and machines the flow runs, and how they share a model",
        lambda shell: shell.show_launch(), group=True,
    ),
    Action(
        "queue", "Queue...", "The flows that wait to be run one after the other: order them, run them",
        lambda shell: shell.queueing.show(), group=True,
    ),
    Action(
        "runs", "Run History...", "Look at earlier runs, compare up to eight, open the flow of one",
        lambda shell: shell.history.show_runs(),
    ),
    Action(
        "kept", "Cached Stages...", "The stages that a run can reuse, and how much disk space they take",
        lambda shell: shell.history.show_kept(),
    ),
    Action(
        "chat", "Chat...", "Talk to a model of the flow or of an earlier run, or to two next to each other",
        lambda shell: shell.chatting.show(), key="F8", group=True,
    ),
    Action(
        "new", "New...", "The start page: an empty flow, one for your data, a configuration, recent flows, templates",
        lambda shell: shell.starting.show(), key="Ctrl+N", menu="File", before="actionImport_Nodes",
    ),
    Action(
        "open", "Open...", "Open a project, an exported script, or the folder of a model or a run",
        lambda shell: shell.opening.ask_and_open(), key="Ctrl+O", menu="File", before="actionImport_Nodes",
    ),
    Action(
        "from_data", "New From Data...", "A flow for data files: their format is detected",
        lambda shell: shell.starting.ask_data(), menu="File", before="actionImport_Nodes",
    ),
    Action(
        "import", "Import...", "A flow of a configuration of TRL, Axolotl or LLaMA-Factory, or of an exported script",
        lambda shell: shell.starting.ask_configuration(), key="Ctrl+I", menu="File", before="actionImport_Nodes",
    ),
    Action(
        "save", "Save Project", "Save the project to its file, and the previous version next to it",
        lambda shell: shell.saving.save(), key="Ctrl+S", menu="File", before="menuScripts",
    ),
    Action(
        "save_as", "Save Project As...", "Save the project under another name",
        lambda shell: shell.saving.save_as(), key="Ctrl+Shift+S", menu="File", before="menuScripts",
    ),
    Action(
        "find", "Find Command...", "Search all commands, nodes and templates by what they do",
        lambda shell: shell.helping.find(), key="Ctrl+Shift+P", menu="Help",
    ),
    Action(
        "help", "Help on Node", "The page of the selected node: inputs, columns, parameters, example, papers",
        lambda shell: shell.helping.show_node(), key="F1", menu="Help",
    ),
    Action(
        "shortcuts", "Shortcuts", "All keys on one page", lambda shell: shell.helping.show_shortcuts(),
        key="Shift+F1", menu="Help",
    ),
    Action(
        "next_problem", "Next Problem", "Go to the next finding: its node, and its field",
        lambda shell: shell.docks.step_problem(1), key="F4", group=True,
    ),
    Action(
        "previous_problem", "Previous Problem", "Go to the finding before",
        lambda shell: shell.docks.step_problem(-1), key="Shift+F4",
    ),
    Action("quit", "Quit", "Close the editor", lambda shell: shell.quit(), key="Ctrl+Q", menu="File"),
    Action(
        "tidy", "Tidy", "Lay the nodes out by their wires, from left to right, as large as the canvas has room for",
        lambda shell: shell.flows.tidy(),
        menu="Canvas",
    ),
    Action(
        "show_all", "Show All", "Show all nodes of the flow", lambda shell: shell.flows.show_all(),
        key="Home", menu="Canvas",
    ),
    Action(
        "show_selected", "Show Selected", "Show the selected nodes as large as they fit",
        lambda shell: shell.flows.show_selected(), key="F", menu="Canvas",
    ),
    Action(
        "search", "Add Node...", "Search a node, and place it at the pointer",
        lambda shell: shell.flows.search(), key="Tab", menu="Canvas",
    ),
    Action(
        "connect", "Connect...", "Draw a wire to or from the selected nodes: search the pins that fit",
        lambda shell: shell.connecting.show(), key="C", menu="Canvas",
    ),
    Action(
        "minimap", "Map", "Show a map of the flow while not all of it is in view",
        lambda shell: shell.flows.switch_map(), key="M", menu="Canvas",
    ),
    Action(
        "duplicate", "Duplicate", "Copy the selected nodes, with the wires that come in",
        lambda shell: shell.flows.duplicate(), key="Ctrl+D", menu="Canvas", group=True,
    ),
    Action(
        "bypass", "Bypass", "Let the flow go past the selected nodes, or through them again",
        lambda shell: shell.flows.bypass(), key="Ctrl+B", menu="Canvas",
    ),
    Action(
        "group", "Group", "Draw a titled group around the selected nodes, which moves them with it",
        lambda shell: shell.flows.group(), key="Ctrl+G", menu="Canvas", group=True,
    ),
    Action(
        "note", "Note", "Write a note at the pointer", lambda shell: shell.flows.note(), key="N", menu="Canvas",
    ),
    *(
        Action(
            f"align_{how}", f"Align {how.title()}", tip, lambda shell, how=how: shell.flows.align(how), menu="Canvas",
            group=how == "left",
        )
        for how, tip in ALIGNMENTS.items()
    ),
)  # fmt: skip


class Actions(QObject):
    """The actions of one window, by name; :meth:`refresh` enables those that are available."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._shell = shell
        self._made = {action.name: self._make(action) for action in ACTIONS}
        self.refresh()

    def _make(self, action: Action) -> QAction:
        made = QAction(action.text, self._shell.window)
        if action.glyph:
            made.setIcon(icon(action.glyph, action.colour))
        made.setShortcut(QKeySequence(action.key))
        if action.is_of_canvas:
            made.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        made.setToolTip(action.tooltip)
        made.setCheckable(action.is_on is not None)
        made.triggered.connect(lambda: action.does(self._shell))
        return made

    def __getitem__(self, name: str) -> QAction:
        return self._made[name]

    def having(self, wanted: Callable[[Action], bool]) -> Iterator[tuple[Action, QAction]]:
        """The actions that ``wanted`` is true of, in the order of the table."""
        return ((action, self._made[action.name]) for action in ACTIONS if wanted(action))

    def share_with(self, window: QWidget) -> None:
        """Lets the keys that hold in every window work in ``window``, too: Qt knows them where their menu is."""
        keys = self.having(lambda action: bool(action.key) and not action.is_of_canvas)
        window.addActions([made for _, made in keys])

    def refresh(self) -> None:
        """Enables exactly the available actions, and checks those that are on."""
        for action in ACTIONS:
            self._made[action.name].setEnabled(action.when(self._shell))
            if action.is_on is not None:
                self._made[action.name].setChecked(action.is_on(self._shell))
