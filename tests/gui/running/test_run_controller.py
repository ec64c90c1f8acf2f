"""Running in the editor: what the nodes show, how it is stopped, and that the weights are those of the command line."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.catalogue import SFT, LoadDataset, LoadModel
from ryven_llm_nodes.gui.canvas.trainer_widget import headline
from ryven_llm_nodes.gui.state.edits import set_value
from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.states import RunState
from ryven_llm_nodes.run.store.kept import kept_in

LONG = {"max_steps": 4000}


@pytest.fixture
def open_flow(open_editor: Callable[..., Any], work: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Opens a drawn project as a file in the workspace, which is the current folder, too."""

    def open_drawn(drawn: flows.Project, name: str = "flow.json") -> Any:
        monkeypatch.chdir(work)
        path = flows.save(drawn, work / name)
        return open_editor(drawn, path)

    return open_drawn


def weights(folder: Path) -> str:
    """The sha256 of the weights in ``folder``."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def workers() -> list[threading.Thread]:
    """The threads of runs."""
    return [thread for thread in threading.enumerate() if thread.name == "ryven-llm"]


@pytest.mark.parametrize("method", flows.METHODS)
def test_weights_are_those_of_the_command_line(open_flow: Callable[..., Any], work: Path, method: str) -> None:
    editor = open_flow(flows.alone(method))
    # While it trains, the window is used, painted, and asked for its random numbers.
    outcome = editor.run()
    assert outcome.status == "done", outcome.error
    shutil.copytree(work / "outputs", work / "from-editor")
    shutil.rmtree(work / "outputs")
    alone = run_program(build(read_flow(work / "flow.json")), work / "outputs" / method)
    assert alone.status == "done"
    for step in (method, "final"):
        folder = outcome.models[step].relative_to(work / "outputs")
        assert weights(work / "from-editor" / folder) == weights(alone.models[step])
    assert weights(alone.models[method]) != weights(work / "model")
    assert editor.state.state(editor.node(method)) == "done"


def test_the_trainer_shows_how_it_goes(open_flow: Callable[..., Any]) -> None:
    editor = open_flow(flows.alone("sft", max_steps=30))
    node = editor.node("sft")
    widget = node.gui.main_widget()
    states = [editor.state.state(node)]
    editor.state.changed.connect(lambda: states.append(editor.state.state(node)))
    painted, began = widget.redraws, time.monotonic()
    outcome = editor.run()
    editor.settle()
    seconds = time.monotonic() - began
    assert outcome.status == "done"
    assert list(dict.fromkeys(states)) == ["ready", "running", "done"]
    stage = editor.state.stage(node)
    assert (stage.done, stage.total) == (30, 30)
    assert len(stage.metrics["loss"]) == 30
    assert 0 < widget.redraws - painted <= seconds * 10 + 5


def test_a_second_run_is_refused_with_a_word(open_flow: Callable[..., Any]) -> None:
    editor = open_flow(flows.alone("sft", **LONG))
    lines = editor.log()
    assert editor.shell.commands.run()
    assert not editor.shell.commands.run()
    assert "already" in lines[-1]
    assert not editor.shell.actions["run"].isEnabled()
    assert editor.shell.actions["stop"].isEnabled()
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=60_000):
        editor.shell.commands.stop()
    assert editor.shell.actions["run"].isEnabled()
    assert not editor.shell.runs.running


def test_stop_and_keep_hands_the_model_on(open_flow: Callable[..., Any], work: Path) -> None:
    drawn = flows.draw(
        "base -> sft, rows -> sft, sft -> dpo, pairs -> dpo", "two", base=flows.BASE, rows=flows.ROWS["sft"],
        pairs=flows.ROWS["dpo"], sft=flows.node(SFT, **flows.FAST | LONG), dpo=flows.TRAINERS["dpo"],
    )  # fmt: skip
    editor = open_flow(drawn)
    keep, stages = editor.shell.actions["keep"], editor.state.model.stages
    assert not keep.isEnabled()
    assert editor.shell.commands.run()
    assert not keep.isEnabled(), "nothing trains yet"
    editor.wait_for_step("sft", 3)
    assert keep.isEnabled()
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=60_000) as blocker:
        keep.trigger()
        assert editor.shell.toolbar.status.text() == "ending sft after this step ..."
        assert not keep.isEnabled(), "once is enough"
    assert blocker.args[1].status == "done"
    assert not keep.isEnabled()
    done = stages["sft"].done
    assert 3 <= done < 4000
    assert headline(RunState.DONE, stages["sft"]) == ("done", f"ended at {done} / 4000 steps")
    assert headline(RunState.DONE, stages["dpo"]) == ("done", "2 / 2 steps")
    assert kept_in(work / "outputs" / "two" / "sft").ended_at == (done, 4000)
    assert editor.run().status == "done"
    assert headline(RunState.REUSED, stages["sft"]) == ("reused", f"ended at {done} / 4000 steps")


def test_nothing_is_kept_where_nothing_trains(open_flow: Callable[..., Any]) -> None:
    editor = open_flow(flows.alone("sft"))
    assert editor.shell.runs.keep() == ""
    assert editor.run().status == "done"
    assert editor.shell.runs.keep() == ""
    assert editor.shell.runs.ending == ""


def test_keep_is_never_meant_for_the_next_stage(open_flow: Callable[..., Any]) -> None:
    """The worker has begun another stage, while the window still shows the one before."""
    editor = open_flow(flows.alone("sft", **LONG))
    assert editor.shell.commands.run()
    editor.wait_for_step("sft", 2)
    editor.shell.runs._begun = "dpo"
    assert editor.shell.runs.keep() == ""
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=60_000) as blocker:
        editor.shell.commands.stop()
    assert blocker.args[1].status == "cancelled"


def test_run_afresh_uses_nothing_that_is_kept(open_flow: Callable[..., Any], work: Path) -> None:
    editor = open_flow(flows.alone("sft"))
    sft = editor.node("sft")
    assert editor.run().status == "done"
    before = weights(work / "outputs" / "sft" / "sft")
    assert editor.run().status == "done"
    assert editor.state.state(sft) == "reused"
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=60_000) as blocker:
        editor.shell.actions["run_afresh"].trigger()
        assert not editor.shell.actions["run_afresh"].isEnabled()
    assert blocker.args[1].status == "done"
    assert editor.state.state(sft) == "done"
    assert weights(work / "outputs" / "sft" / "sft") == before


def test_a_rehearsal_runs_every_stage_elsewhere_and_tells_how_long_the_real_run_takes(
    open_flow: Callable[..., Any], work: Path
) -> None:
    editor = open_flow(flows.alone("sft", max_steps=500))
    said = editor.log()
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=60_000) as blocker:
        editor.shell.actions["rehearse"].trigger()
    assert blocker.args[1].status == "done"
    editor.settle()
    assert any("the real run: about" in line for line in said)
    assert not (work / "outputs" / "sft").exists()
    assert (work / "outputs" / "sft-rehearsal" / "sft" / "model.safetensors").is_file()
    lines = (work / "outputs" / "sft-rehearsal" / "sft" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 4  # three steps, and the summary


def test_a_reused_stage_shows_its_curves(open_flow: Callable[..., Any], work: Path) -> None:
    editor = open_flow(flows.alone("sft", max_steps=8))
    assert editor.run().status == "done"
    logged = editor.state.stage(editor.node("sft")).metrics
    assert editor.run().status == "done"
    assert editor.state.state(editor.node("sft")) == "reused"
    stage = editor.state.stage(editor.node("sft"))
    assert stage.metrics == logged
    assert (stage.done, stage.total) == (8, 8)
    assert editor.state.model.earlier["sft"] == [], "the same curve is not drawn twice"
    again = open_flow(flows.alone("sft", max_steps=8), "again.json")
    assert again.run().status == "done"
    assert again.state.stage(again.node("sft")).metrics == logged
    dock = again.shell.docks.metrics.widget().currentWidget()
    dock.redraw()
    assert len(dock.plots["loss"].curves[0].series.points) == 8


def test_a_reused_stage_shows_its_completions(open_flow: Callable[..., Any]) -> None:
    """Whoever opens the flow the next day sees what the policy wrote."""
    editor = open_flow(flows.alone("grpo"))
    assert editor.run().status == "done"
    sampled = editor.state.stage(editor.node("grpo")).completions
    assert len(sampled) == 2
    again = open_flow(flows.alone("grpo"), "again.json")
    assert again.run().status == "done"
    assert again.state.state(again.node("grpo")) == "reused"
    assert again.state.stage(again.node("grpo")).completions == sampled
    browser = again.shell.docks.completions.widget().currentWidget()
    assert browser.table.model().rowCount() > 0


def test_a_resumed_stage_shows_the_steps_before(open_flow: Callable[..., Any]) -> None:
    saved = {"max_steps": 400, "save_strategy": "steps", "save_steps": 5}
    editor = open_flow(flows.alone("sft", **saved))
    assert editor.shell.commands.run()
    editor.wait_for_step("sft", 12)
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=60_000):
        editor.shell.commands.stop()
    stopped = list(editor.state.stage(editor.node("sft")).metrics["loss"])
    assert editor.run().status == "done"
    stage = editor.state.stage(editor.node("sft"))
    assert 10 <= stage.resumed_at <= len(stopped)
    assert [step for step, _ in stage.metrics["loss"]] == list(range(1, 401))
    assert stage.metrics["loss"][: stage.resumed_at] == stopped[: stage.resumed_at]


def test_a_stopped_stage_says_where_it_resumes(open_flow: Callable[..., Any]) -> None:
    editor = open_flow(flows.alone("sft", max_steps=4000, save_strategy="steps", save_steps=1000))
    assert editor.shell.commands.run()
    editor.wait_for_step("sft", 3)
    with editor.qtbot.waitSignal(editor.shell.runs.finished):
        editor.shell.commands.stop()
    state, node = editor.state, editor.node("sft")
    assert state.state(node) == RunState.CANCELLED
    editor.qtbot.waitUntil(lambda: state.state(node) == RunState.RESUMABLE)
    at = f"from step {state.stage(node).done} of 4000"
    assert headline(state.state(node), state.stage(node), state.resumes[node]) == ("can resume", at)


@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_stop_ends_within_a_step(open_flow: Callable[..., Any], method: str) -> None:
    editor = open_flow(flows.alone(method, **LONG))
    assert editor.shell.commands.run()
    editor.wait_for_step(method, 3)
    done = editor.state.model.stages[method].done
    with editor.qtbot.waitSignal(editor.shell.runs.finished) as blocker:
        editor.shell.commands.stop()
    assert blocker.args[1].status == "cancelled"
    stage = editor.state.stage(editor.node(method))
    assert stage.state == "cancelled"
    assert stage.done <= done + 200  # steps that were on their way through the queue
    editor.qtbot.waitUntil(lambda: not workers())
    assert editor.run(to=editor.node("base")).status == "done"


def test_run_to_here_runs_no_further(open_flow: Callable[..., Any], work: Path) -> None:
    editor = open_flow(flows.chain())
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=120_000) as blocker:
        editor.node("sft").gui.run_to_here()
    assert blocker.args[1].status == "done", blocker.args[1].error
    assert editor.state.state(editor.node("sft")) == "done"
    assert editor.state.state(editor.node("ppo")) == "ready"
    assert not (work / "outputs" / "chain" / "ppo").exists()


def test_results_become_stale_and_fresh_again(open_flow: Callable[..., Any]) -> None:
    editor = open_flow(flows.alone("sft"))
    sft, rows = editor.node("sft"), editor.node("rows")
    assert editor.run().status == "done"
    set_value(rows, "limit", 8)
    editor.settle()
    assert editor.state.state(sft) == "stale"
    editor.view._undo_stack.undo()
    editor.settle()
    assert editor.state.state(sft) == "done"
    editor.select(rows)
    editor.view.remove_selected_components__cmd()
    editor.settle()
    assert editor.state.state(sft) == "stale"
    editor.view._undo_stack.undo()
    editor.settle()
    assert editor.state.state(sft) == "done"
    sft.gui.item.setPos(400, 400)
    editor.place(LoadModel)
    editor.settle()
    assert editor.state.state(sft) == "done"


def test_a_failure_shows_on_its_node_and_in_the_log(open_flow: Callable[..., Any]) -> None:
    drawn = flows.alone("grpo")
    for node in drawn["flows"]["grpo"]["nodes"]:
        if node["additional data"]["name"] == "variety":
            code = flows.REWARD.replace(
                "texts =", "if len(completions) == 4:\n        raise KeyError('colour')\n    texts ="
            )
            node["additional data"]["params"]["code"] = code
    editor = open_flow(drawn)
    lines = editor.log()
    outcome = editor.run()
    assert outcome.status == "failed"
    editor.settle(50)
    mark = editor.node("variety").gui.mark
    assert mark.isVisible()
    assert "KeyError" in mark.sentences[0]
    assert editor.state.state(editor.node("grpo")) == "failed"
    assert any("Traceback" in line and "colour" in line for line in lines)
    set_value(editor.node("variety"), "code", flows.REWARD)
    editor.settle()
    assert not mark.isVisible()
    assert editor.run().status == "done"


def test_editing_while_it_trains_changes_nothing_of_the_run(open_flow: Callable[..., Any], work: Path) -> None:
    editor = open_flow(flows.alone("sft", max_steps=40))
    sft = editor.node("sft")
    assert editor.shell.commands.run()
    editor.wait_for_step("sft", 2)
    set_value(sft, "learning_rate", 0.5)
    editor.select(sft, editor.node("rows"))
    editor.view._copy()
    editor.view._paste()
    for node in list(editor.flow.nodes):
        editor.select(node)
        editor.view.remove_selected_components__cmd()
    assert editor.flow.nodes == []
    while editor.view._undo_stack.canUndo():
        editor.view._undo_stack.undo()
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=60_000) as blocker:
        pass
    assert blocker.args[1].status == "done"
    assert sft in editor.flow.nodes
    editor.settle()
    assert editor.state.state(sft) == "done"
    here = weights(blocker.args[1].models["sft"])
    shutil.rmtree(work / "outputs")
    assert here == weights(run_program(build(read_flow(work / "flow.json")), work / "outputs" / "sft").models["sft"])


def test_deleting_the_flow_stops_its_run(open_flow: Callable[..., Any]) -> None:
    editor = open_flow(flows.alone("sft", **LONG))
    flow = editor.flow
    assert editor.shell.commands.run()
    editor.wait_for_step("sft")
    with editor.qtbot.waitSignal(editor.shell.runs.finished, timeout=60_000) as blocker:
        editor.window.core_session.delete_flow(flow)
    assert blocker.args[1].status == "cancelled"
    assert editor.shell.flows.current_flow() is None
    assert not editor.shell.commands.run()
    editor.shell.commands.check()
    editor.shell.commands.generate()
    editor.window.core_session.create_flow("another")
    editor.settle(50)
    editor.place(SFT)
    assert len(editor.flow.nodes) == 1


def test_closing_the_window_stops_the_run(open_flow: Callable[..., Any]) -> None:
    editor = open_flow(flows.alone("grpo", **LONG))
    assert editor.shell.commands.run()
    editor.wait_for_step("grpo")
    editor.window.close()
    editor.qtbot.waitUntil(lambda: not workers())


def test_two_flows_keep_their_runs_apart(open_flow: Callable[..., Any]) -> None:
    editor = open_flow(flows.alone("sft"))
    first = editor.flow
    assert editor.run().status == "done"
    editor.window.core_session.create_flow("second")
    editor.settle(50)
    model, rows = editor.place(LoadModel, "base", path="model"), editor.place(LoadDataset, "rows", path="sft.jsonl")
    sft = editor.place(SFT, "sft", **flows.FAST)
    editor.wire(model, sft, "model")
    editor.wire(rows, sft, "dataset")
    assert editor.state.state(sft) == "ready"
    assert editor.run().status == "done"
    assert flow_state(first).model.earlier == {}
    assert editor.shell.docks.log.widget().currentWidget() is not None


def test_garbage_is_collected_in_the_main_thread_only(open_flow: Callable[..., Any]) -> None:
    import gc

    editor = open_flow(flows.alone("sft", max_steps=20))
    seen: set[str] = set()

    def note(phase: str, info: dict[str, int]) -> None:
        seen.add(threading.current_thread().name)

    editor.shell.runs.collector.start()
    gc.callbacks.append(note)
    try:
        assert editor.run().status == "done"
    finally:
        gc.callbacks.remove(note)
    assert seen == {"MainThread"}


LOCKED = """import ctypes

def variety(completions, trainer_state=None, **kwargs):
    if trainer_state is not None and trainer_state.global_step:
        ctypes.PyDLL(None).sleep(600)  # unlike CDLL, this holds Python's lock
    return [float(len(set(str(text)))) for text in completions]
"""


@pytest.mark.slow
def test_an_isolated_run_is_stopped_whatever_its_code_does(open_flow: Callable[..., Any]) -> None:
    editor = open_flow(flows.alone("grpo", max_steps=4, num_generations=2))
    set_value(editor.node("variety"), "code", LOCKED)
    editor.shell.actions["isolate"].trigger()
    assert editor.shell.actions["isolate"].isChecked()
    assert editor.shell.commands.run()
    stages = editor.state.model.stages
    editor.qtbot.waitUntil(lambda: "grpo" in stages and stages["grpo"].done >= 1, timeout=120_000)
    editor.qtbot.wait(500)  # the second step calls the reward
    started = time.monotonic()
    editor.shell.commands.stop()
    editor.qtbot.waitUntil(lambda: not editor.shell.runs.running)
    assert time.monotonic() - started < 2
    assert stages["grpo"].state == RunState.CANCELLED
