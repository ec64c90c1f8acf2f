"""Begins flows: from templates, data and configurations, on the start page, in the File menu, and by drops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QObject, QPointF, QTimer
from qtpy.QtWidgets import QFileDialog, QMessageBox

from ryven_llm_nodes.catalogue.node import PACKAGE
from ryven_llm_nodes.catalogue.reading import BUILDERS, ending_of
from ryven_llm_nodes.errors import FlowError, LLMNodesError, Problem
from ryven_llm_nodes.gui.canvas.fitting import fitting_of
from ryven_llm_nodes.gui.canvas.tidy import tidy
from ryven_llm_nodes.gui.document.one_window import raise_window
from ryven_llm_nodes.gui.document.opening import Opening
from ryven_llm_nodes.gui.start.page import StartPage
from ryven_llm_nodes.gui.start.report import report
from ryven_llm_nodes.gui.state.document import Document
from ryven_llm_nodes.gui.state.edits import set_value
from ryven_llm_nodes.gui.window.flows import Flows
from ryven_llm_nodes.gui.window.layout import lay_out
from ryven_llm_nodes.host.canvas import place_node
from ryven_llm_nodes.host.dropping import dropped_signal
from ryven_llm_nodes.host.filling import fill
from ryven_llm_nodes.host.opening import Opened, open_file
from ryven_llm_nodes.host.undo import one_command
from ryven_llm_nodes.importing.data import data_node, from_data, is_model, model_node
from ryven_llm_nodes.importing.files import imported
from ryven_llm_nodes.program.flow import read_project
from ryven_llm_nodes.templates import project_from

Demo = Callable[[], Mapping[str, Any]]
CONFIGURATIONS: Final = "Configurations and exported scripts (*.yaml *.yml *.py);;All files (*)"
DATA: Final = f"Data ({' '.join(f'*{ending}' for ending in BUILDERS)} *.gz *.bz2 *.xz *.zst *.gguf);;All files (*)"
DEMO: Final = "demo"
DEMO_TITLE: Final = "Demo: SFT, PPO, DPO, GRPO"


class Starting(QObject):
    """Puts flows into the window of ``document``; ``say`` adds lines to the log."""

    def __init__(
        self, document: Document, flows: Flows, opening: Opening, say: Callable[[str], None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._document, self._flows, self._opening, self._say = document, flows, opening, say
        self._page: StartPage | None = None
        self.demo: Demo | None = None
        """Gives the flow of the demo, where there is one."""
        dropped_signal.connect(self._dropped)

    # The start page

    @property
    def page(self) -> StartPage:
        """The start page; created when it is first needed."""
        if self._page is None:
            further = [(DEMO, DEMO_TITLE)] if self.demo else []
            self._page = StartPage(self._document.window, further)
            self._page.begun.connect(self._begin)
            self._page.template_chosen.connect(self.use_template)
            self._page.opened.connect(self.open_path)
            self._page.dropped.connect(self.take)
        return self._page

    def show(self) -> None:
        """Brings the start page to the front."""
        self.page.open()

    def _hide(self) -> None:
        if self._page is not None and self._page.isVisible():
            self._page.hide()
            if (view := self._flows.current_view()) is not None:
                view.setFocus()

    def _begin(self, name: str) -> None:
        does = {"data": self.ask_data, "configuration": self.ask_configuration, "open": self._opening.ask_and_open}
        does.get(name, self._hide)()

    # What a flow begins with

    def use_template(self, name: str) -> None:
        """Begins with a template, or with the demo."""
        try:
            project = self.demo() if name == DEMO and self.demo else project_from(name)
        except LLMNodesError as error:
            self._refuse(str(error))
            return
        self.use(project)

    def open_path(self, path: Path) -> bool:
        """Opens a flow: in this window where nothing was done in it, which takes no second. False if it cannot."""
        flow = self._flows.current_flow()
        if flow is None or not self._opening.is_pristine or (opened := self._alone(path)) is None:
            return self._opening.open_path(path)
        ((title, _),) = opened.content["flows"].items()
        self._flows.empty_flow(title)
        self._hide()
        view = self._document.window.session_gui.flow_views[flow]
        fill(view, opened.content)
        view._undo_stack.clear()
        view.clear_selection()
        lay_out(self._document.window)
        self._document.place(opened.path, opened.root, opened.origin)
        self._document.unchanged()
        return True

    def _alone(self, path: Path) -> Opened | None:
        """The project at ``path`` if it is one flow of our nodes alone, that no window shows; else None."""
        try:
            opened = open_file(path)
        except LLMNodesError:
            return None  # told by what opens it then
        flows = list(opened.content["flows"].values())
        view = flows[0].get("flow view")
        is_plain = len(flows) == 1 and not (isinstance(view, dict) and view.get("drawings"))
        is_ours = all(name == PACKAGE for name in map(_package, opened.content["required packages"]))
        return opened if is_plain and is_ours and not raise_window(path) else None

    def ask_data(self) -> None:
        """Asks for data files, and makes a flow for them."""
        chosen = QFileDialog.getOpenFileNames(self._document.window, "Data to train on", "", DATA)[0]
        if chosen:
            self.take([Path(name) for name in chosen])

    def ask_configuration(self) -> None:
        """Asks for a configuration, and makes a flow of it."""
        chosen = QFileDialog.getOpenFileName(self._document.window, "Import", "", CONFIGURATIONS)[0]
        if chosen:
            self.import_file(Path(chosen))

    def take(self, paths: Sequence[Path]) -> bool:
        """Makes a flow of files: of data and a model, or of a configuration; opens a project. False if it cannot."""
        if len(paths) == 1 and _is_configuration(paths[0]):
            return self.import_file(paths[0])
        if len(paths) == 1 and _is_project(paths[0]):
            return self.open_path(paths[0])
        try:
            started = from_data(list(paths), self._document.folder)
        except FlowError as error:
            self._refuse(str(error))
            return False
        self.use(started.project)
        for line in started.says:
            self._say(line)
        return True

    def import_file(self, path: Path) -> bool:
        """Makes a flow of a configuration or a script, and tells what was not taken over. False if it cannot."""
        try:
            found = imported(path, self._document.folder)
        except LLMNodesError as error:
            self._refuse(str(error))
            return False
        self.use(found.project)
        self._tell(path, found.told)
        return True

    def _tell(self, path: Path, told: Sequence[Problem]) -> None:
        for problem in told:
            self._say(problem.line)
        if any(problem.weight == "warning" for problem in told):
            report(self._document.window, f"Imported {path.name}", told)

    def _refuse(self, why: str) -> None:
        QMessageBox.warning(self._document.window, "Not used", why)

    def use(self, project: Mapping[str, Any]) -> None:
        """Shows the only flow of ``project``: in the flow in front where that is empty, else in a new one."""
        ((title, _),) = project["flows"].items()
        flow = self._flows.empty_flow(title)
        self._hide()
        QTimer.singleShot(0, self, lambda: self._fill(flow, project))  # a new flow gets its canvas a moment later

    def _fill(self, flow: Any, project: Mapping[str, Any]) -> None:
        view = self._document.window.session_gui.flow_views[flow]
        for node in fill(view, project):
            node.gui.item.update_shape()
        tidy(view)
        view.clear_selection()
        fitting_of(view).fit()
        view.setFocus()

    # Drops

    def _dropped(self, view: Any, paths: Sequence[Path], place: QPointF) -> None:
        if view not in self._document.window.session_gui.flow_views.values():
            return
        if view.flow.nodes and all(is_model(path) or _is_data(path) for path in paths):
            for path in paths:
                self._place(view, path, place)
                place += QPointF(0, 120)
        elif not view.flow.nodes and len(paths) == 1 and is_model(paths[0]):
            self._place(view, paths[0], place)
        else:
            self.take(paths)

    def _place(self, view: Any, path: Path, place: QPointF) -> None:
        """One node that loads ``path``."""
        make = model_node if is_model(path) else data_node
        kind, params = make(path, self._document.folder)
        with one_command(view, f"Place {kind.title}"):
            node = place_node(view, kind, place)
            for name, value in params.items():
                set_value(node, name, value)


def _package(required: Any) -> str:
    return str(required.get("name")) if isinstance(required, dict) else ""


def _is_configuration(path: Path) -> bool:
    return path.suffix.lower() in (".yaml", ".yml", ".py")


def _is_data(path: Path) -> bool:
    return path.is_dir() or bool(ending_of(path.name))


def _is_project(path: Path) -> bool:
    """Whether it is a flow, or a folder with one and no model that could be trained further."""
    if path.suffix != ".json" or not path.is_file():
        return False
    try:
        read_project(path)
    except FlowError:
        return False
    return True
