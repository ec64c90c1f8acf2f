"""Makes the pictures beside this file: the editor at work on the demo's flow.

    python examples/screenshots/make.py [--only NAME ...]

Needs what the demo needs: the model is fetched on first use. The run is a real one, stopped once there is something to
see. No display is needed: the window is painted offscreen.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qtpy.QtCore import QItemSelectionModel

from ryven_llm_nodes.catalogue import DPO, GRPO, SFT, LoadDataset, LoadModel, LoRA, RewardFunction
from ryven_llm_nodes.demo import rewards
from ryven_llm_nodes.demo.story import demo_flow, prepare
from ryven_llm_nodes.gui.history.runs_window import RunsWindow
from ryven_llm_nodes.host.launch import application
from ryven_llm_nodes.gui.editor import open_window
from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.host.session import default_output_dir
from ryven_llm_nodes.program import build
from ryven_llm_nodes.program.project import Placement, graph_of_project, project
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.trust.foreign import foreign_code
from ryven_llm_nodes.run.trust.seen import remember

Flag = QItemSelectionModel.SelectionFlag
HERE = Path(__file__).resolve().parent
SIZE = (1600, 940)
BROKEN = '''def has_a_full_stop(completions, **kwargs):
    """1 for every completion that ends in a full stop."""
    return [float(completion["text"].endswith(".")) for completion in completions]
'''


LONG = '''def length(completions, **kwargs):
    """The share of 40 words that an answer has."""
    return [min(len(completion[0]["content"].split()) / 40, 1.0) for completion in completions]
'''
QUICK = {"max_steps": 10, "max_completion_length": 48, "logging_steps": 1, "num_generations": 8}


def settle(seconds: float = 0.6) -> None:
    """Lets timers and queued events do their work."""
    app, end = application(), time.monotonic() + seconds
    while time.monotonic() < end:
        app.processEvents()
        time.sleep(0.005)


def wait(done: Callable[[], Any], minutes: float = 60) -> None:
    """Uses the window until ``done``."""
    end = time.monotonic() + 60 * minutes
    while not done():
        settle(0.05)
        if time.monotonic() > end:
            raise SystemExit("it takes too long")


def opened(content: dict[str, Any], folder: Path) -> Any:
    """A window with a project, at its size."""
    remember(foreign_code(graph_of_project(content, folder)))  # else the first run asks whether it may
    window = open_window(content, application(), folder / "flow.json")
    window.resize(*SIZE)
    settle()
    window.llm_shell.flows.show_all()
    settle()
    return window


def node(window: Any, name: str) -> Any:
    """The node called ``name``."""
    return next(n for n in window.llm_shell.flows.current_flow().nodes if n.name == name)


def select(window: Any, *names: str) -> None:
    """Selects nodes by name."""
    window.llm_shell.flows.current_view().select_items([node(window, name).gui.item for name in names])
    settle()


def grab(widget: Any, name: str) -> None:
    """Writes a picture."""
    settle(0.3)
    widget.grab().save(str(HERE / f"{name}.png"))
    print(HERE / f"{name}.png")


def empty(folder: Path) -> None:
    """The start without a flow."""
    window = opened(project("pipeline", [], []), folder)
    grab(window, "empty")
    window.close()


def code(folder: Path) -> None:
    """The script of the demo's flow."""
    window = opened(demo_flow(), folder)
    window.llm_shell.commands.generate()
    wait(lambda: window.llm_shell.commands.code_window is not None, 1)
    view = window.llm_shell.commands.code_window
    view.resize(1000, 780)
    grab(view, "code")
    view.close()
    window.close()


def failed(folder: Path) -> None:
    """A reward function that does not fit its data."""
    nodes = [
        Placement("base", LoadModel, {"path": "./base-model"}, 0, 0),
        Placement("questions", LoadDataset, {"path": "data/grpo_prompts_train.jsonl"}, 0, 1),
        Placement("has_a_full_stop", RewardFunction, {"code": BROKEN}, 0, 2),
        Placement("grpo", GRPO, {"max_steps": 5, "max_completion_length": 16}, 1, 0),
    ]
    wires = ["base.model -> grpo.model", "questions.dataset -> grpo.dataset", "has_a_full_stop.reward -> grpo.reward"]
    window = opened(project("stops", nodes, wires), folder)
    shell = window.llm_shell
    shell.commands.run()
    wait(lambda: not shell.runs.running, 10)
    select(window, "has_a_full_stop")
    grab(window, "failed")
    window.close()


def running(folder: Path) -> None:
    """The demo's flow at its second stage, and what PPO's policy writes."""
    window = opened(demo_flow(), folder)
    shell = window.llm_shell
    shell.commands.run()
    wait(lambda: _steps(shell, "ppo") >= 12 or not shell.runs.running)
    select(window, "ppo")
    grab(window, "running")
    shell.docks.completions.raise_()
    settle()
    grab(window, "completions")
    shell.docks.metrics.raise_()
    shell.runs.shut_down(patience=60)
    window.close()


def _steps(shell: Any, name: str) -> int:
    stage = flow_state(shell.flows.current_flow()).model.stages.get(name)
    return stage.done if stage else 0


def runs(folder: Path) -> None:
    """Two short runs that differ in learning rate and reward, side by side."""
    application()
    for rate, code in ((1e-4, LONG), (5e-4, LONG.replace("/ 40", "/ 80"))):
        nodes = [
            Placement("base", LoadModel, {"path": "./base-model"}, 0, 0),
            Placement("questions", LoadDataset, {"path": "data/grpo_prompts_train.jsonl"}, 0, 1),
            Placement("length", RewardFunction, {"code": code}, 0, 2),
            Placement("lora", LoRA, {"r": 8}, 0, 3),
            Placement("grpo", GRPO, {**QUICK, "learning_rate": rate}, 1, 0),
        ]
        wires = ["base.model -> grpo.model", "questions.dataset -> grpo.dataset", "length.reward -> grpo.reward"]
        graph = graph_of_project(project("length", nodes, [*wires, "lora.adapter -> grpo.adapter"]), folder)
        assert run_program(build(graph), default_output_dir("length"), fresh=True).error is None
    window = RunsWindow(Path("outputs").absolute(), lambda path: None)
    window.show()
    wait(lambda: window.table.rowCount() > 1, 1)
    for row in (0, 1):  # the newest
        index = window.table.model().index(row, 0)
        window.table.selectionModel().select(index, Flag.Select | Flag.Rows)
    settle(2)
    grab(window, "runs")
    window.close()


def preview(folder: Path) -> None:
    """The rows of a dataset, and those of a trainer as they will be trained."""
    window = opened(demo_flow(), folder)
    for name, picture in (("answers", "rows"), ("sft", "tokens")):
        select(window, name)
        window.llm_shell.docks.preview.raise_()
        panel = window.llm_shell.docks.preview.widget().currentWidget()
        wait(lambda name=name, panel=panel: name in panel.bar.title.text() and panel.content.isVisible(), 3)
        grab(window, picture)
    window.llm_shell.runs.shut_down(patience=10)
    window.close()


def bench(folder: Path) -> None:
    """What a reward gives to completions of the model before anything is trained."""
    window = opened(demo_flow(), folder)
    dock = window.llm_shell.docks.bench
    dock.raise_()
    panel = dock.widget().currentWidget()
    select(window, rewards.GRPO_REWARD_NAME)
    wait(lambda: panel.sample.isEnabled(), 1)
    panel.sample.click()
    wait(lambda: panel.table.rowCount() > 0 and panel.sample.isEnabled(), 5)
    grab(window, "bench")
    window.llm_shell.runs.shut_down(patience=10)
    window.close()


def findings(folder: Path) -> None:
    """What a check finds before training, of all three weights."""
    rows = [{"messages": [{"role": "user", "content": f"What is {i}?"}, {"role": "assistant", "content": "A number."}]}
            for i in range(40)]  # fmt: skip
    rows[6]["messages"].insert(1, {"role": "user", "content": "Please."})
    pairs = [{"prompt": f"What is {i}?", "chosen": " A number.", "rejected": " No idea."} for i in range(40)]
    pairs[4]["chosen"] = None
    for name, lines in (("turns", rows), ("pairs", pairs)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    nodes = [
        Placement("base", LoadModel, {"path": "./base-model"}, 0, 0),
        Placement("turns", LoadDataset, {"path": "turns.jsonl"}, 0, 1),
        Placement("pairs", LoadDataset, {"path": "pairs.jsonl"}, 1, 1),
        Placement("questions", LoadDataset, {"path": "data/grpo_prompts_train.jsonl"}, 2, 1),
        Placement("length", RewardFunction, {"code": LONG}, 2, 2),
        Placement("sft", SFT, {"warmup_steps": 0}, 1, 0),
        Placement("dpo", DPO, {}, 2, 0),
        Placement("grpo", GRPO, {"warmup_steps": 900}, 3, 0),
    ]
    wires = ["base.model -> sft.model", "turns.dataset -> sft.dataset", "sft.model -> dpo.model"]
    wires += ["pairs.dataset -> dpo.dataset", "dpo.model -> grpo.model", "questions.dataset -> grpo.dataset"]
    window = opened(project("findings", nodes, [*wires, "length.reward -> grpo.reward"]), folder)
    window.llm_shell.commands.check()
    state = flow_state(window.llm_shell.flows.current_flow())
    wait(lambda: {"error", "warning", "note"} <= {one.weight for found in state.findings.values() for one in found}, 3)
    grab(window, "findings")
    window.llm_shell.runs.shut_down(patience=10)
    window.close()


PICTURES = {
    "empty": empty,
    "code": code,
    "failed": failed,
    "running": running,
    "runs": runs,
    "preview": preview,
    "bench": bench,
    "findings": findings,
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(PICTURES), default=list(PICTURES))
    names = parser.parse_args().only
    with tempfile.TemporaryDirectory() as name:
        os.environ["RYVEN_LLM_STATE"] = str(Path(name, "state"))
        folder = Path(name, "demo")
        prepare(folder, print)
        os.chdir(folder)
        for picture in names:
            PICTURES[picture](folder)


if __name__ == "__main__":
    main()
