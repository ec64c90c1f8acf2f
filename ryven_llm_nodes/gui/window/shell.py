"""The editor: what this package adds to Ryven's main window, and what happens when it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QApplication, QMessageBox, QToolTip
from qtpy.shiboken import isValid

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.canvas.tidy import fit, tidy
from ryven_llm_nodes.gui.canvas.trainer_widget import status_line
from ryven_llm_nodes.gui.document.autosave import Autosave
from ryven_llm_nodes.gui.document.file_menu import ProjectMenu, ask_for_place, ask_to_save, may_write_over, stamp
from ryven_llm_nodes.gui.history.history_menu import RecordWindows
from ryven_llm_nodes.gui.inspector.stack import InspectorStack
from ryven_llm_nodes.gui.running.run_controller import RunController
from ryven_llm_nodes.gui.state.flow_state import FlowState, flow_state
from ryven_llm_nodes.gui.state.run_model import StageRun
from ryven_llm_nodes.gui.window.layout import Docks, arrange, dress_flow, use_theme
from ryven_llm_nodes.gui.window.node_palette import Palette
from ryven_llm_nodes.gui.window.toolbar import Toolbar
from ryven_llm_nodes.host.canvas import late_view, place_node
from ryven_llm_nodes.host.ports import refused_signal
from ryven_llm_nodes.host.saving import save_project, take_over_saving
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run import Outcome
from ryven_llm_nodes.run.states import RunState, in_words

TITLE: Final = "Ryven · LLM post-training"
TIP_MS: Final = 6000


class Shell(QObject):
    """Everything that this package adds to one main window of Ryven."""

    def __init__(self, window: Any, path: Path | None = None) -> None:
        super().__init__(window)
        self.window = window
        self.code_window: Any = None
        self.path: Path | None = None
        self.origin: Path | None = None
        """What the project is a copy of."""
        self._closed = self._discarded = self._unsaved = False
        self.inspectors: dict[Any, InspectorStack] = {}
        self.runs = RunController(self)
        self.toolbar = Toolbar(window, self)
        self.palette = Palette(_sorted_nodes(window), window)
        self.palette.chosen.connect(self._place)
        self.docks = Docks(window, self.palette)
        self.autosave = Autosave(self)
        self.set_path(path)
        self._connect()
        self.project_menu = ProjectMenu(self)
        self.records = RecordWindows(self)
        use_theme(window)
        for flow in window.core_session.flows:
            self._adopt(flow, window.session_gui.flow_views[flow])
        arrange(window, self.docks)
        self._canvas_menu()

    def _connect(self) -> None:
        window = self.window
        take_over_saving(window, self.save)
        window.installEventFilter(self)
        window.session_gui.flow_view_created.connect(self._flow_made)
        window.session_gui.flow_deleted.connect(self._flow_deleted)
        window.session_gui.flow_renamed.connect(lambda *_: self._cannot_be_undone())
        window.ui.flows_tab_widget.currentChanged.connect(self._show_tab)
        self.runs.running_changed.connect(self.toolbar.show_running)
        self.runs.said.connect(lambda state, text: self.say(text, state))
        self.runs.finished.connect(self._finished)
        self.autosave.failed.connect(self.say)
        refused_signal.connect(self._refused)

    def _canvas_menu(self) -> None:
        """What Ryven has in a button that lies on the canvas."""
        menu = self.window.ui.menuView.addMenu("Canvas")

        def fill() -> None:
            menu.clear()
            view = self.current_view()
            menu.addAction("Tidy", lambda: self._tidy(view))
            menu.addAction("Show all", self.show_all)
            menu.addSeparator()
            menu.addActions(view.menu().actions())

        menu.aboutToShow.connect(lambda: fill() if self.current_view() is not None else menu.clear())

    def _tidy(self, view: Any) -> None:
        tidy(view)
        fit(view)

    def show_all(self) -> None:
        """Shows all nodes of the flow in front."""
        if (view := self.current_view()) is not None:
            fit(view)

    # Flows

    def current_view(self) -> Any | None:
        """The canvas of the tab in front."""
        return self.window.session_gui.flow_views.get(self.current_flow())

    def current_flow(self) -> Any | None:
        """The flow of the tab in front."""
        tab = self.window.ui.flows_tab_widget.currentWidget()
        return getattr(tab, "flow", None)

    def _flow_made(self, flow: Any, view: Any) -> None:
        """Ryven gives a new flow its tab a moment later."""
        self._cannot_be_undone()
        QTimer.singleShot(0, self, lambda: self._adopt(flow, view))

    def _adopt(self, flow: Any, view: Any) -> None:
        """Makes a flow of Ryven one of ours."""
        if flow not in self.window.flow_UIs:
            return
        late_view(flow, view)
        flow_ui = self.window.flow_UIs[flow]
        dress_flow(self.window, flow_ui, view)
        self.inspectors[flow] = InspectorStack(view, flow_ui.inspector_widget, self)
        flow_ui.ui.inspector_dock.setWidget(self.inspectors[flow])
        view._undo_stack.cleanChanged.connect(lambda _: self._show_modified())
        state = flow_state(flow)
        state.model.stage_changed.connect(lambda step: self._stage_changed(state, step))
        state.run_wanted.connect(self.run)
        state.script_wanted.connect(self.generate)
        self._show_tab()

    def _flow_deleted(self, flow: Any) -> None:
        if self.runs.state is flow_state(flow):
            self.runs.stop()
        self.inspectors.pop(flow, None)
        self._cannot_be_undone()
        QTimer.singleShot(0, self, self._show_tab)

    def _show_tab(self, *_: Any) -> None:
        flow = self.current_flow()
        if flow is not None and flow in self.window.core_session.flows:
            self.docks.show_model_soon(flow_state(flow).model)

    def _place(self, node: type) -> None:
        view = self.current_view()
        if view is not None:
            place_node(view, node)
            view.setFocus()

    def _flow(self, flow: Any = None) -> Any | None:
        """``flow``, or the one in front, with what is still being typed into the inspector."""
        for inspector in self.inspectors.values():
            inspector.flush()
        return flow or self.current_flow()

    # What the toolbar does

    def run(self, flow: Any = None, to: LLMNode | None = None, fresh: bool = False) -> bool:
        """Runs the flow in front, or ``flow``, up to ``to`` where one is given; ``fresh`` uses nothing that is kept."""
        flow = self._flow(flow)
        self.autosave.keep()  # training may take the process with it
        return flow is not None and self.runs.run(flow, to, fresh)

    def run_afresh(self) -> bool:
        """Trains everything anew."""
        return self.run(fresh=True)

    def stop(self) -> None:
        """Stops the run."""
        if self.runs.stop():
            self.toolbar.status.setText("stopping ...")

    def keep(self) -> None:
        """Ends the stage that is training, and lets the next one start from its model as it is."""
        if step := self.runs.keep():
            self._stage_changed(self.runs.state, step)

    def check(self, flow: Any = None) -> None:
        """Marks every problem of a flow on its nodes."""
        flow = self._flow(flow)
        if flow is not None:
            self.runs.prepare(flow, lambda program: self._checked(flow_state(flow), program))

    def _checked(self, state: FlowState, program: Program | None) -> None:
        if program is not None:
            steps = len(program.steps)
            self.say(f"✓ checked {steps} node{'s' * (steps != 1)}: no problem found", state)
        self._show_problem_count(state)

    def generate(self, flow: Any = None) -> None:
        """Shows the script of a flow."""
        flow = self._flow(flow)
        if flow is not None:
            self.runs.prepare(flow, lambda program: self._generated(flow_state(flow), program))

    def _generated(self, state: FlowState, program: Program | None) -> None:
        self._show_problem_count(state)
        if program is not None:
            from ryven_llm_nodes.gui.code.script_window import CodeWindow  # the window is there sooner

            self.code_window = CodeWindow(program, self.window)
            self.code_window.saved.connect(lambda path: self.say(f"✓ wrote {path}", state))
            self.code_window.show()

    # What is said

    def say(self, text: str, state: FlowState | None = None) -> None:
        """A line for the log of ``state``'s flow, or of the one in front."""
        flow = self.current_flow()
        state = state or (flow_state(flow) if flow is not None else None)
        if state is not None and not self._closed:
            self.docks.show_model()  # the log may not have been made yet
            state.model.logged.emit(text)

    def _refused(self, flow: Any, sentence: str) -> None:
        if flow in self.window.core_session.flows:
            self.say(f"✗ {sentence}", flow_state(flow))
            QToolTip.showText(QCursor.pos(), sentence, self.window, self.window.rect(), TIP_MS)

    def _show_problem_count(self, state: FlowState) -> None:
        count = sum(map(len, state.problems.values()))
        self.toolbar.status.setText(f"{count} problem{'s' * (count != 1)}" if count else "no problems")

    def _stage_changed(self, state: FlowState, step: str) -> None:
        if self._closed:
            return  # a run that is being stopped outlives its window by a step
        stage: StageRun = state.model.stages[step]
        self.toolbar.show_running(self.runs.running, bool(self.runs.training) and not self.runs.ending)
        if stage.is_running:
            self.toolbar.status.setText(status_line(stage, self.runs.ending == step))

    def _finished(self, state: FlowState, result: Outcome | LLMNodesError) -> None:
        ran = isinstance(result, Outcome)
        after = f" after {duration(result.seconds)}" if ran else ""
        self.toolbar.status.setText(in_words(result.status if ran else RunState.FAILED) + after)

    # The project

    def set_path(self, path: Path | None, root: Path | None = None, origin: Path | None = None) -> None:
        """The file that the project is saved to, None for a new one or a copy of ``origin``.

        Its relative paths are looked up in ``root`` (default: beside ``path``, or the current folder).
        """
        self.path, self.origin, self._stamp = path, origin, stamp(path)
        named = path or (origin.resolve() if origin else None)
        self.runs.root = root or (path.resolve().parent if path else None)
        self.runs.source = named.name if named else ""
        title = f"{'' if path else 'copy of '}{named.name}" if named else "unsaved"
        self.window.setWindowTitle(f"{title}[*] · {TITLE}")

    def take_over(self, left: Path) -> None:
        """The project is what the recovery file ``left`` holds, which goes when there is one of this window."""
        self._cannot_be_undone()
        if self.autosave.keep_now():
            left.unlink(missing_ok=True)

    def save(self) -> bool:
        """Saves the project, asking for a name where it has none yet. False where it was not saved."""
        if self.path is None:
            return self.save_as()
        return self.save_to(self.path)

    def save_as(self) -> bool:
        """Saves the project under a name that is asked for."""
        path = ask_for_place(self.window)
        return path is not None and self.save_to(path)

    def save_to(self, path: Path) -> bool:
        """Saves the project to ``path``."""
        self._flow()
        if path == self.path and not may_write_over(self.window, path, self._stamp):
            return False
        root = self.runs.root or Path.cwd()
        try:
            save_project(self.window, path, root)
        except LLMNodesError as error:
            QMessageBox.warning(self.window, "Not saved", str(error))
            return False
        self.set_path(path, root)
        self._unsaved = False
        for view in self.window.session_gui.flow_views.values():
            view._undo_stack.setClean()
        self._show_modified()
        self.say(f"✓ saved {path.name}")
        return True

    @property
    def modified(self) -> bool:
        """Whether anything was done since the project was opened or saved."""
        stacks = (view._undo_stack for view in self.window.session_gui.flow_views.values())
        # a window that goes takes its stacks along
        return self._unsaved or any(isValid(stack) and not stack.isClean() for stack in stacks)

    @property
    def pristine(self) -> bool:
        """Whether nothing is lost with this window."""
        nodes = any(flow.nodes for flow in self.window.core_session.flows)
        return not (self.path or self.origin or nodes or self.modified or self.runs.running)

    def _cannot_be_undone(self) -> None:
        self._unsaved = True
        self._show_modified()

    def _show_modified(self) -> None:
        if not self._closed and isValid(self.window):  # undo stacks are cleared once more while the window goes
            self.window.setWindowModified(self.modified)
            if not self.modified:
                self.autosave.forget()

    # The end

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ryven tells nobody that it is closed, and asks nothing."""
        if watched is self.window and event.type() == QEvent.Type.Close:
            if event.spontaneous() and not self.may_close():
                event.ignore()
                return True
            self._end()
        return False

    def _end(self) -> None:
        if self.modified and not self._discarded:
            self.autosave.keep_now()  # a program closed the window, and asked nobody
        else:
            self.autosave.forget()
        self.autosave.timer.stop()
        self._closed = True
        self.runs.stop()  # whoever ends the process waits for the worker, when the window is out of sight

    def quit(self) -> None:
        """Closes the window, if the user has nothing against it."""
        if self.may_close():
            self.window.close()

    def may_close(self) -> bool:
        """Asks what is to become of changes that are not saved, where there are any."""
        self._flow()
        if self._closed or self._discarded or not self.modified:
            return True
        answer = ask_to_save(self.window)
        self._discarded = answer == QMessageBox.StandardButton.Discard
        return self._discarded or (answer == QMessageBox.StandardButton.Save and self.save())


def _sorted_nodes(window: Any) -> list[Any]:
    return sorted(window.core_session.nodes, key=lambda node: node.title)


def main_window() -> Any | None:
    """The main window of Ryven, once it is there."""
    from ryven.gui.main_window import MainWindow

    app = QApplication.instance()
    windows = [w for w in (app.topLevelWidgets() if app else []) if isinstance(w, MainWindow)]
    return next((window for window in windows if hasattr(window, "nodes_list_widget")), None)


def install_shell(window: Any, path: Path | None = None) -> Shell:
    """Adds the shell to ``window``; once."""
    if getattr(window, "llm_shell", None) is None:
        window.llm_shell = Shell(window, path)
    return window.llm_shell


def install_later() -> None:
    """Adds the shell to Ryven's window as soon as that is complete: nodes are loaded while it is being built."""

    def install() -> None:
        if (window := main_window()) is not None:
            install_shell(window)

    QTimer.singleShot(0, install)


_QT: Final = Qt  # qtpy chooses the binding when it is first imported
