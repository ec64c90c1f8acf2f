"""The editor: assembles what this package adds to a main window of Ryven."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QDialog, QToolTip
from qtpy.shiboken import isValid

from ryven_llm_nodes.gui.document.autosave import Autosave
from ryven_llm_nodes.gui.document.one_window import OneWindow
from ryven_llm_nodes.gui.document.opening import Opening
from ryven_llm_nodes.gui.document.saving import Saving
from ryven_llm_nodes.gui.history.windows import HistoryWindows
from ryven_llm_nodes.gui.running.leaving import Leaving
from ryven_llm_nodes.gui.running.run_controller import RunController
from ryven_llm_nodes.gui.state import recent
from ryven_llm_nodes.gui.state.document import Document
from ryven_llm_nodes.gui.state.flow_state import FlowState, flow_state
from ryven_llm_nodes.gui.window.actions import Actions
from ryven_llm_nodes.gui.window.chatting import Chatting
from ryven_llm_nodes.gui.window.coding import Coding
from ryven_llm_nodes.gui.window.commands import Commands
from ryven_llm_nodes.gui.window.connecting import Connecting
from ryven_llm_nodes.gui.window.flows import Flows
from ryven_llm_nodes.gui.window.helping import Helping
from ryven_llm_nodes.gui.window.layout import Docks, arrange
from ryven_llm_nodes.gui.window.looking import Looking
from ryven_llm_nodes.gui.window.machine_strip import MachineStrip
from ryven_llm_nodes.gui.window.menus import fill_menus
from ryven_llm_nodes.gui.window.node_palette import Palette
from ryven_llm_nodes.gui.window.panels import bench_panel, log_view, preview_panel, problems_panel
from ryven_llm_nodes.gui.window.queueing import Queueing
from ryven_llm_nodes.gui.window.remembered import remember
from ryven_llm_nodes.gui.window.results import Results
from ryven_llm_nodes.gui.window.starting import Starting
from ryven_llm_nodes.gui.window.sweeping import Sweeping
from ryven_llm_nodes.gui.window.theming import use_theme
from ryven_llm_nodes.gui.window.toolbar import Toolbar
from ryven_llm_nodes.host.ports import refused_signal
from ryven_llm_nodes.host.saving import leave_out_saving

TITLE: Final = "Ryven · LLM post-training"
TIP_MS: Final = 6000


class Shell(QObject):
    """Everything that this package adds to ``window``, whose project is saved to ``path``."""

    def __init__(self, window: Any, path: Path | None = None) -> None:
        super().__init__(window)
        self.window = window
        self._closed = False
        self._launch: Any = None
        self.flows = Flows(window, lambda: self.document.folder, self)
        self.document = Document(window, self.flows.stacks, self)
        self.saving = Saving(self.document, self.flows.flush, self)
        self.one_window = OneWindow(self.document, self)
        self.opening = Opening(self.document, lambda: self.pristine, self.one_window)
        self.runs = RunController(self.document, self)
        self.leaving = Leaving(self.document, self.runs, self)
        self.commands = Commands(window, self.flows, self.runs, self)
        self.history = HistoryWindows(window, self.opening.open_path, lambda: self.results.afterwards())
        self.chatting = Chatting(window, self.document, self.flows)
        looking = Looking(self.document, self.runs)
        self.coding = Coding(window, self.document, self.flows, looking, self)
        self.starting = Starting(self.document, self.flows, self.opening, self.say, self)
        self.results = Results(self.document, self.starting, self.chatting, self.flows.current_state)
        self.sweeping = Sweeping(window, self.flows, self.runs, self)
        self.queueing = Queueing(window, self.flows, self.runs, self.history, self)
        self.helping = Helping(self)
        self.connecting = Connecting(window, self.flows, self.say)
        self.actions = Actions(self)
        self.toolbar = Toolbar(window, self.actions)
        self.strip = MachineStrip(window, self)
        self.palette = Palette(window.core_session.nodes, window)
        self.docks = Docks(
            window,
            self.palette,
            lambda model: preview_panel(model, looking, self.runs.examiner),
            lambda model: bench_panel(model, looking.bench, self.runs.examiner),
            lambda model: problems_panel(model, self.flows.show_field),
            lambda model: log_view(model, self.flows.show_field),
        )
        self.autosave = Autosave(self.document, self)
        self._connect()
        fill_menus(window, self)
        self.document.untouched = self.flows.untouched
        self.document.place(path)
        use_theme(window)
        self.flows.begin()
        arrange(window, self.docks)

    def _connect(self) -> None:
        leave_out_saving(self.window)
        self.window.installEventFilter(self)
        self.palette.chosen.connect(self.flows.place)
        self.flows.adopted.connect(self._adopted)
        self.flows.deleted.connect(self._flow_deleted)
        self.flows.changed.connect(self.document.change)
        self.flows.shown.connect(lambda state: self.docks.show_model_soon(state.model))
        self.document.placed.connect(self._placed)
        self.document.touched.connect(self._show_modified)
        self.one_window.wanted.connect(self.come_forward)
        self.saving.saved.connect(lambda name: self.say(f"✓ saved {name}"))
        self.commands.beginning.connect(self.autosave.keep)  # training may crash the process
        self.commands.status.connect(self.toolbar.status.setText)
        self.commands.progressed.connect(self.actions.refresh)
        self.coding.said.connect(self.say)
        self.sweeping.said.connect(self.say)
        self.runs.said.connect(lambda state, text: self.say(text, state))
        self.runs.finished.connect(lambda *_: self.history.refresh())
        self.autosave.failed.connect(self.say)
        refused_signal.connect(self._refused)

    def _adopted(self, state: FlowState, view: Any) -> None:
        self.document.watch(view._undo_stack)
        view.addActions([made for _, made in self.actions.having(lambda action: action.menu == "Canvas")])
        self.commands.watch(state)
        self.strip.watch(state)
        state.result_wanted.connect(self.results.of_node)

    def _flow_deleted(self, state: FlowState) -> None:
        if self.runs.state is state:
            self.runs.stop()

    # Log, status and title

    def say(self, text: str, state: FlowState | None = None) -> None:
        """A line for the log of ``state``'s flow, or of the one in front."""
        state = state or self.flows.current_state()
        if state is not None and not self._closed:
            self.docks.show_model()  # the log may not exist yet
            state.model.logged.emit(text)

    def _refused(self, flow: Any, sentence: str) -> None:
        if flow in self.flows:
            self.say(f"✗ {sentence}", flow_state(flow))
            QToolTip.showText(QCursor.pos(), sentence, self.window, self.window.rect(), TIP_MS)

    def show_launch(self) -> None:
        """Shows the launch settings of the flow in front."""
        if self._launch is None:
            from ryven_llm_nodes.gui.launching.dialog import LaunchDialog

            self._launch = LaunchDialog(self.flows.current_flow, self.document.change, self.window)
        self._launch.open_for_front()

    def _placed(self) -> None:
        if self.document.path is not None:
            recent.remember(self.document.path)
        self._show_title()

    def _show_title(self) -> None:
        self.window.setWindowTitle(f"{self.document.title}[*] · {TITLE}")

    def _show_modified(self) -> None:
        if not self._closed and isValid(self.window):  # undo stacks are cleared once more while the window closes
            self.window.setWindowModified(self.document.modified)
            if not self.document.modified:
                self.autosave.forget()

    # Start and close

    def come_forward(self) -> None:
        """Shows the window, also one that was hidden while it trains, in front of all others."""
        self.leaving.come_back()
        if self.window.isMinimized():
            self.window.showNormal()
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()

    def take_over(self, left: Path) -> None:
        """The project comes from the recovery file ``left``, which is deleted once this window has its own."""
        self.document.change()
        if self.autosave.keep_now():
            left.unlink(missing_ok=True)

    @property
    def pristine(self) -> bool:
        """Whether nothing is lost by closing this window."""
        document = self.document
        used = document.path or document.origin or document.modified or self.runs.running
        return not used and self.flows.are_empty()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ryven gives no signal when it is closed, and asks nothing."""
        if watched is self.window and event.type() == QEvent.Type.Close:
            if event.spontaneous() and not self.may_close():
                event.ignore()
                return True
            self._end()
        elif watched is self.window and event.type() == QEvent.Type.WindowActivate and not self._closed:
            self._look_again()
        elif event.type() == QEvent.Type.ChildPolished:
            self._share_keys(event.child())
        return False

    def _share_keys(self, child: QObject) -> None:
        """Keys work in every window that is opened from this one, unless it waits for an answer."""
        if isinstance(child, QDialog) and not child.isModal() and child.windowType() == Qt.WindowType.Dialog:
            self.actions.share_with(child)

    def _look_again(self) -> None:
        """Files may have changed while another window was in front: one of the editor, or of another program."""
        if (state := self.flows.current_state()) is not None:
            state.look_soon()

    def _end(self) -> None:
        if self.document.modified and not self.saving.discarded:
            self.autosave.keep_now()  # a program closed the window without asking
        else:
            self.autosave.forget()
        self.autosave.timer.stop()
        self.one_window.close()
        if not self._closed and (why := remember(self.window, self.window.flow_UIs.values())):
            print(why, file=sys.stderr)
        self._closed = self.commands.silent = True
        self.runs.examiner.stop()
        self.chatting.end()
        self.coding.end()
        self.queueing.runner.shut_down()
        self.runs.stop()  # the end of the process waits for the worker, after the window is hidden

    def quit(self) -> None:
        """Closes the window, unless the user cancels."""
        if self.may_close():
            self.window.close()

    def may_close(self) -> bool:
        """Asks what to do with a run and with unsaved changes, before either is touched.

        False if the window stays: for good, or until the run has ended.
        """
        asked = (self.leaving.ask, self.queueing.may_close, self.saving.may_close, self.leaving.go)
        return self._closed or all(may() for may in asked)
