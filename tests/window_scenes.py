"""Every window of the editor, opened as a user would see it: a finished run, findings, long names and paths."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import flows
import records
from qtpy.QtWidgets import QApplication, QDialog, QMessageBox, QWidget

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, RewardFunction
from ryven_llm_nodes.catalogue.reward_templates import DISTINCT_WORDS
from ryven_llm_nodes.demo.story import demo_flow
from ryven_llm_nodes.errors import Problem, Remedy
from ryven_llm_nodes.gui.chat.window import ChatWindow
from ryven_llm_nodes.gui.code.script_window import CodeWindow
from ryven_llm_nodes.gui.document import recovery_question
from ryven_llm_nodes.gui.editor import open_window
from ryven_llm_nodes.gui.history.kept_stages_window import KeptWindow
from ryven_llm_nodes.gui.history.runs_window import RunsWindow
from ryven_llm_nodes.gui.queueing.runner import QueueRunner
from ryven_llm_nodes.gui.queueing.window import QueueWindow
from ryven_llm_nodes.gui.running import leaving
from ryven_llm_nodes.gui.running.trust_dialog import TrustDialog
from ryven_llm_nodes.gui.start.report import report
from ryven_llm_nodes.gui.state import recent
from ryven_llm_nodes.gui.state.edits import rename, set_value
from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.gui.sweeping.window import SweepWindow
from ryven_llm_nodes.host.launch import application
from ryven_llm_nodes.host.recovery import LeftBehind
from ryven_llm_nodes.program.sweeping.space import space_of
from ryven_llm_nodes.run import events
from ryven_llm_nodes.run.chat.models import ChatModel
from ryven_llm_nodes.run.queueing.queue import Queue, queued
from ryven_llm_nodes.run.sweeping.study import Trial
from ryven_llm_nodes.run.sweeping.sweep import Result
from ryven_llm_nodes.run.sweeping.sweep import plan as planned
from ryven_llm_nodes.run.trust.foreign import Foreign

DEEP: Final = "assistant-for-support-questions/experiments of the second quarter/preference-tuning"
TITLE: Final = "Preference tuning on the long answers of the second annotation round"
SENTENCE: Final = (
    "lora_alpha is 512 with r 8, so the update is scaled by 64.0, which makes most trainings diverge; set it to twice r"
)
STEPS: Final = 40


def settle(seconds: float = 0.05) -> None:
    """Lets queued events and timers do their work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.002)


def wait(done: Callable[[], Any], seconds: float = 60) -> None:
    """Uses the windows until ``done``. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not done():
        settle(0.01)
        if time.monotonic() > end:
            raise TimeoutError("a window does not come to what it should show")
    settle()


class Desk:
    """The main window with the demo's flow, in ``folder``, which is made the one of a project with long names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / DEEP
        self.data, self.outputs = self.folder / "data", self.folder / "outputs"
        self.data.mkdir(parents=True)
        flows.write_data(self.data)
        flows.write_hollow_model(self.data / "model")
        self.path = flows.save(demo_flow(), self.folder / f"{TITLE}.json")
        recent.remember(self.path)
        self.window = open_window(demo_flow(), application(), self.path)
        self.shell = self.window.llm_shell
        self.window.showNormal()
        settle(0.3)
        self.flow = self.shell.flows.current_flow()
        self.state = flow_state(self.flow)
        for node in self.flow.nodes:
            node.gui.item.setGraphicsEffect(None)  # its shadow: the node would be painted as a picture, without texts

    def node(self, name: str) -> Any:
        """The node called ``name``."""
        return next(node for node in self.flow.nodes if node.name == name)

    def select(self, name: str) -> None:
        """Selects a node."""
        self.shell.flows.current_view().select_items([self.node(name).gui.item])
        settle(0.3)

    def train(self) -> None:
        """A run that has ended, without having trained anything; then what a check finds."""
        self.state.begin(self.shell.runs.snapshot(self.flow))
        for event in self._events():
            self.state.model.post(event)
        settle(0.1)
        self.state.show_problems(
            [
                Problem(SENTENCE, "LoRA 'lora'", "lora_alpha", "lora", "warning", remedy=Remedy("lora", "r", 256)),
                Problem("must be greater than 0, got -1. Typical: 0.1 to 0.5.", "DPO 'dpo'", "beta", "dpo"),
                Problem("3 of 40 rows are longer than max_length, and are cut.", "SFT 'sft'", "", "sft", "note", 7),
            ]
        )

    def _events(self) -> Iterator[events.Event]:
        stages = [node.name for node in self.flow.nodes if node.is_stage]
        yield events.RunStarted("", tuple(stages), str(self.outputs), "")
        for name in stages:
            yield events.StageStarted(name, name)
            yield events.Log("", f"{name}: {SENTENCE}, as in {self.path}")
            for step in range(1, STEPS + 1):
                values = {"loss": math.exp(-step / STEPS), "rewards/margins": step / STEPS, "learning_rate": 1e-4}
                yield events.Progress(name, step, STEPS)
                yield events.Metrics(name, step, values)
            yield events.Completions(name, STEPS, "length", (SENTENCE,) * 3, (f"{SENTENCE}\n" * 3,) * 3, (0.1, 0.5, 1))
            yield events.StageFinished(name, str(self.outputs / name), 71.0)
        yield events.Warned("sft", "", SENTENCE)
        yield events.RunFinished("", "done", {}, 300.0)


# The windows. Each function gives one state after the other; what it gives is shown


def main_window(desk: Desk) -> Iterator[QWidget]:
    """The window with each dock in front, with the inspector of nodes, and with the start page over it."""
    desk.train()
    desk.shell.flows.show_all()
    desk.select("dpo")
    yield desk.window
    docks = desk.shell.docks
    for dock in (docks.problems, docks.completions, docks.preview, docks.bench, desk.window.ui.flows_dock):
        dock.raise_()
        settle(0.1)
        yield desk.window
    for dock in (docks.palette, docks.log, docks.metrics):
        dock.raise_()
    flow_ui = desk.window.flow_UIs[desk.flow]
    flow_ui.ui.undo_history_dock.raise_()
    settle(0.1)
    yield desk.window
    flow_ui.ui.inspector_dock.raise_()
    panel = desk.shell.flows.inspectors[desk.flow].panel(desk.node("dpo"))
    panel.tabs.setCurrentIndex(1)
    settle(0.1)
    yield desk.window
    panel.tabs.setCurrentIndex(0)


def start_page(desk: Desk) -> Iterator[QWidget]:
    """The page over the window, with a recent flow."""
    desk.shell.starting.show()
    settle(0.1)
    yield desk.shell.starting.page
    desk.shell.starting.page.hide()


def run_history(desk: Desk) -> Iterator[QWidget]:
    """One run that failed, then two that are compared."""
    drawn = flows.alone("sft")
    drawn["flows"] = {TITLE: drawn["flows"].pop("sft")}
    made = [records.record(desk.data, desk.outputs, drawn, fails=fails) for fails in ("", "sft")]
    window = RunsWindow(desk.outputs, lambda path: None, desk.window)
    window.show()
    window.refresh()
    wait(lambda: len(window.runs) == 2)
    for chosen in ([made[1]], made):
        folders = {run.folder for run in chosen}
        window.table.choose(*map(str, folders))
        wait(lambda folders=folders: window.page is not None and {run.folder for run in window.page.runs} == folders)
        yield window


def cached_stages(desk: Desk) -> Iterator[QWidget]:
    """Stages of all states."""
    records.keep(desk.outputs / TITLE, "sft", 3_000_000)
    records.keep(desk.outputs / TITLE, "preference-tuning-with-a-reference", finished=False)
    window = KeptWindow(desk.outputs, desk.window)
    window.show()
    wait(lambda: window.pages.currentIndex() == 1)
    yield window


def queue(desk: Desk) -> Iterator[QWidget]:
    """A queue of a flow with a long path, and one that has failed."""
    waiting = Queue(desk.folder / "queue")
    for method in ("sft", "dpo"):
        waiting.add(queued(flows.graph(flows.alone(method), desk.data), desk.outputs / TITLE))
    window = QueueWindow(QueueRunner(waiting, desk.window), lambda: None, desk.window)
    window.show()
    settle()
    window.table.choose(waiting.entries()[1].id)
    yield window


def sweep(desk: Desk) -> Iterator[QWidget]:
    """Trials over parameters with long names; one has failed, and one was ended."""
    varied = ["dpo.per_device_train_batch_size=1,2,4,8", "dpo.learning_rate=1e-7..1e-5:log", "dpo.beta=0.01..0.5"]
    plan = planned(
        space_of(flows.graph(flows.alone("dpo"), desk.data), varied), "dpo.rewards/margins", desk.outputs, 12
    )
    window = SweepWindow(desk.window)
    window.show()
    yield window
    trials = [
        Trial(
            i,
            dict(
                zip(
                    plan.space.axes,
                    (2 ** (i % 4), float(f"{1e-7 * 1.5**i:.3g}"), round(0.05 * i + 0.01, 2)),
                    strict=True,
                )
            ),
            {3: "failed", 7: "pruned"}.get(i, "done"),
            None if i in (3, 7) else 0.4 + 0.05 * ((i * 5) % 7),
            {3: SENTENCE, 7: "dpo.rewards/margins was 0.1 at step 40, worse than the median of the others"}.get(i, ""),
            240.0 + i,
        )
        for i in range(10)
    ]
    shares = dict(zip(plan.space.axes, (0.1, 0.65, 0.25), strict=True))
    window.show_sweep(plan, Result(trials, trials[4], shares), running=False)
    settle()
    yield window


def launch_settings(desk: Desk) -> Iterator[QWidget]:
    """With a setting that is wrong."""
    desk.shell.show_launch()
    dialog = desk.shell._launch
    yield dialog
    dialog.rows["cpu_offload"].edited.emit("cpu_offload", True)
    settle()
    yield dialog


def chat(desk: Desk) -> Iterator[QWidget]:
    """With models in deep folders, and what was said."""
    models = [ChatModel(f"{TITLE}: sft", str(desk.outputs / "sft")), ChatModel("dpo", str(desk.outputs / "dpo"))]
    window = ChatWindow(lambda: models, desk.window)
    window.open()
    window.word.setText("The models have been told different things; begin a new conversation for a pair.")
    for column in window.columns:
        column.note.setText(SENTENCE)
    settle()
    yield window
    window.close()


def help_pages(desk: Desk) -> Iterator[QWidget]:
    """A node, the list of all, and the shortcuts."""
    helping = desk.shell.helping
    for show in (partial(helping.window.show_node, DPO), helping.window.show_index, helping.show_shortcuts):
        show()
        settle()
        yield helping.window


def finder(desk: Desk) -> Iterator[QWidget]:
    """All commands, some of them not available."""
    made = desk.shell.helping.find()
    settle()
    yield made
    made.close()


def script(desk: Desk) -> Iterator[QWidget]:
    """The script of a flow."""
    window = CodeWindow(flows.program(flows.alone("grpo"), desk.data), desk.window)
    window.show()
    settle()
    yield window


def code_of_a_field(desk: Desk) -> Iterator[QWidget]:
    """The code of a reward that feeds no trainer; then with what is wrong with it, and what a test has shown."""
    desk.shell.flows.empty_flow("rewards")
    settle(0.2)
    desk.shell.palette.chosen.emit(RewardFunction)
    node = desk.shell.flows.current_flow().nodes[-1]
    rename(node, "agreement_with_the_reference_answer")
    desk.shell.coding.show(node, "code")
    (window,) = desk.shell.coding.windows.values()
    settle(0.3)
    yield window
    for trainer in (PPO, GRPO):
        desk.shell.palette.chosen.emit(trainer)
        made = desk.shell.flows.current_flow().nodes[-1]
        port = next(place for place, one in enumerate(made.in_ports) if one.kind == "reward")
        desk.shell.flows.current_view().connect_node_ports__cmd(node.outputs[0], made.inputs[port])
    set_value(node, "code", f"{node.params.get('code', DISTINCT_WORDS)}\nscores = [\n")
    settle(0.4)
    window.trial.results.show_found(_scored())
    window.trial.failed_at.emit([6])
    yield window


def _scored() -> dict[str, Any]:
    """What a reward gives to four completions, one of which it fails for."""
    failure = "line 6: ZeroDivisionError: division by zero."
    rows = [{"prompt": TITLE, "completion": f"{SENTENCE}\n" * 3, "group": n, "total": n / 4} for n in range(4)]
    told = {"scores": [0.0, 0.25, None, 0.25], "spread": [0.0] * 4, "failures": {"2": failure}, "weight": 1.0}
    told |= {"least": 0.0, "mean": 0.167, "most": 0.25, "equal": 0.667, "seconds": 0.00214, "printed": SENTENCE}
    source = f"Load Model '{TITLE}', 1 sample per prompt"
    reward = {"reward": "agreement_with_the_reference_answer", **told}
    return {"source": source, "completions": rows, "rewards": [reward], "warnings": []}


def trust(desk: Desk) -> Iterator[QWidget]:
    """Code and a place that came with a flow."""
    code = Foreign("score", f"Reward Function '{TITLE}'", "code", "runs Python code of its own", flows.REWARD, "python")
    place = Foreign("final", "Save Model 'final'", "folder", "writes to a folder outside", str(desk.path))
    dialog = TrustDialog([code, place], desk.window)
    dialog.show()
    settle()
    yield dialog


def recovery(desk: Desk) -> Iterator[QWidget]:
    """One project of an editor that crashed, and several."""
    one = LeftBehind(desk.folder / "left.json", {}, desk.path, None, desk.folder, datetime(2026, 1, 2, 3, 4))
    yield from _asked(lambda: recovery_question.ask(one))
    yield from _asked(lambda: recovery_question.ask_which([one] * 3))


def leaving_a_run(desk: Desk) -> Iterator[QWidget]:
    """The question when a window is closed that trains."""
    where = f"DPO '{TITLE}' is at step 40 of 4000."
    meaning = f"Stop: this step is finished and saved.\n{leaving.KEEP}: the window is hidden until the run has ended."
    yield from _asked(lambda: leaving.ask(desk.window, where, meaning, (leaving.STOP, leaving.KEEP, leaving.CANCEL)))


def import_report(desk: Desk) -> Iterator[QWidget]:
    """What was not taken over of a configuration."""
    told = [Problem(SENTENCE, "", "training_arguments.lr_scheduler_kwargs.min_lr_rate", weight="warning")] * 3
    dialog = report(desk.window, f"Imported {desk.path.name}", told)
    settle()
    yield dialog


def message(desk: Desk) -> Iterator[QWidget]:
    """A box as the static functions of QMessageBox show it."""
    box = QMessageBox(
        QMessageBox.Icon.Warning,
        "Not saved",
        f"cannot write {desk.path}: no space is left on the device.",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        desk.window,
    )
    box.show()
    settle()
    yield box


def _asked(ask: Callable[[], Any]) -> Iterator[QWidget]:
    """The dialog that ``ask`` waits for."""
    shown: list[QDialog] = []
    before = QDialog.exec, QMessageBox.exec
    QDialog.exec = QMessageBox.exec = lambda dialog: shown.append(dialog) or dialog.show() or 0
    try:
        ask()
    finally:
        QDialog.exec, QMessageBox.exec = before
    settle()
    yield shown[0]
    shown[0].close()


@dataclass(frozen=True)
class Scene:
    """A window: what ``shows`` it, and which classes or functions of ``ryven_llm_nodes.gui`` it ``covers``."""

    shows: Callable[[Desk], Iterator[QWidget]]
    covers: tuple[str, ...] = ()


SCENES: Final = {
    "main window": Scene(main_window, ("window.layout",)),
    "start page": Scene(start_page),
    "run history": Scene(run_history, ("history.runs_window",)),
    "cached stages": Scene(cached_stages, ("history.kept_stages_window",)),
    "queue": Scene(queue, ("queueing.window",)),
    "sweep": Scene(sweep, ("sweeping.window",)),
    "launch settings": Scene(launch_settings, ("launching.dialog",)),
    "chat": Scene(chat, ("chat.window",)),
    "help": Scene(help_pages, ("help.window",)),
    "finder": Scene(finder, ("help.finder",)),
    "script": Scene(script, ("code.script_window",)),
    "code of a field": Scene(code_of_a_field, ("coding.window",)),
    "trust": Scene(trust, ("running.trust_dialog",)),
    "recovery": Scene(recovery, ("document.recovery_question",)),
    "leaving a run": Scene(leaving_a_run, ("running.leaving",)),
    "import report": Scene(import_report, ("start.report",)),
    "message": Scene(message),
}
