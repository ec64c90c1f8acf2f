"""The queue by its window: flows are queued, ordered, and run one after the other in processes of their own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtCore import Qt
from rotation import turn

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.queueing import runner as module
from ryven_llm_nodes.gui.queueing.runner import QueueRunner
from ryven_llm_nodes.gui.queueing.window import QueueWindow
from ryven_llm_nodes.run import Outcome
from ryven_llm_nodes.run.events import Progress, StageStarted
from ryven_llm_nodes.run.queueing.queue import Queue, queued
from ryven_llm_nodes.run.records.history import past_runs


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "state")


@pytest.fixture
def window(queue: Queue, data: Path, tmp_path: Path, qtbot: Any) -> QueueWindow:
    for method in ("sft", "dpo", "grpo"):
        queue.add(queued(flows.graph(flows.alone(method), data), tmp_path / "outputs" / method))
    window = QueueWindow(QueueRunner(queue), lambda: None)
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles of the flows that were run, in no time; DPO fails, and GRPO runs until it is stopped."""
    titles: list[str] = []

    def run(program: Any, output: Path, listen: Any, cancel: Any) -> Outcome:
        title = program.graph.title
        titles.append(title)
        listen(StageStarted(title))
        listen(Progress(title, 3, 20))
        if title == "grpo":
            cancel.event.wait(20)
            return Outcome("cancelled")
        return Outcome("failed", error=LLMNodesError("no luck")) if title == "dpo" else Outcome()

    monkeypatch.setattr("ryven_llm_nodes.run.run_apart", run)
    return titles


def column(window: QueueWindow, place: int) -> list[str]:
    return [window.table.item(row, place).text() for row in range(window.table.rowCount())]


def test_the_order_is_that_of_its_user(window: QueueWindow, queue: Queue, qtbot: Any) -> None:
    window.table.choose(queue.entries()[2].id)
    qtbot.mouseClick(window.up, Qt.MouseButton.LeftButton)
    qtbot.keyClick(window, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert column(window, 1) == ["grpo", "sft", "dpo"]
    assert not window.up.isEnabled(), "it stays selected, and is the first"
    qtbot.keyClick(window.table, Qt.Key.Key_Delete)
    assert column(window, 1) == ["sft", "dpo"]
    assert [one.title for one in Queue(queue.file.parent).entries()] == ["sft", "dpo"]


def test_one_that_fails_does_not_keep_the_next_from_running(
    window: QueueWindow, queue: Queue, ran: list[str], qtbot: Any
) -> None:
    qtbot.mouseClick(window.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: column(window, 2) == ["done", "failed: no luck", "running grpo 3 / 20"])
    assert ran == ["sft", "dpo", "grpo"]
    assert window.run_button.text() == "Stop"
    qtbot.mouseClick(window.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.runner.is_running)
    assert column(window, 2)[2] == "not begun", "what was stopped waits again"
    qtbot.mouseClick(window.clear, Qt.MouseButton.LeftButton)
    assert column(window, 1) == ["grpo"]


def test_an_error_of_this_package_does_not_end_the_queue(
    window: QueueWindow, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    def run(*args: Any) -> Outcome:
        raise ZeroDivisionError("in the package")

    monkeypatch.setattr("ryven_llm_nodes.run.run_apart", run)
    window.run_or_stop()
    qtbot.waitUntil(lambda: not window.runner.is_running)
    assert [one.status for one in window.entries.values()] == ["aborted"] * 3
    assert "ZeroDivisionError" in next(iter(window.entries.values())).error


def test_a_queue_that_cannot_be_written_says_why(
    window: QueueWindow, queue: Queue, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    def begin_next() -> None:
        raise LLMNodesError("cannot change the queue: disk full.")

    monkeypatch.setattr(queue, "begin_next", begin_next)
    window.run_or_stop()
    qtbot.waitUntil(lambda: not window.runner.is_running)
    assert window.note.text() == "cannot change the queue: disk full."


def test_a_flow_that_reports_before_the_window_has_noticed_it_is_named(
    window: QueueWindow, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    """The window may hear that a flow began, at any moment between two reports of it."""
    told, noticed = threading.Event(), threading.Event()

    def run(program: Any, output: Path, listen: Any, cancel: Any) -> Outcome:
        listen(StageStarted(program.graph.title))
        told.set()
        noticed.wait(20)
        listen(Progress(program.graph.title, 3, 20))
        cancel.event.wait(20)
        return Outcome("cancelled")

    monkeypatch.setattr("ryven_llm_nodes.run.run_apart", run)
    window.run_or_stop()
    assert told.wait(20)
    qtbot.waitUntil(lambda: column(window, 2)[0] == "running sft")
    noticed.set()
    qtbot.waitUntil(lambda: column(window, 2)[0] == "running sft 3 / 20")
    window.runner.shut_down()


def test_reports_of_progress_do_not_read_the_queue_again(
    window: QueueWindow, queue: Queue, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    def run(program: Any, output: Path, listen: Any, cancel: Any) -> Outcome:
        for done in range(101):
            listen(Progress(program.graph.title, done, 100))
        cancel.event.wait(20)
        return Outcome("cancelled")

    reads: list[None] = []
    entries = queue.entries
    monkeypatch.setattr(queue, "entries", lambda: reads.append(None) or entries())
    monkeypatch.setattr("ryven_llm_nodes.run.run_apart", run)
    window.run_or_stop()
    qtbot.waitUntil(lambda: column(window, 2)[0] == "running sft 100 / 100")
    assert len(reads) < 10
    window.runner.shut_down()


def test_a_closing_window_leaves_the_flow_in_the_queue(
    window: QueueWindow, queue: Queue, ran: list[str], qtbot: Any
) -> None:
    queue.remove(*(one.id for one in queue.entries()[:2]))
    window.run_or_stop()
    qtbot.waitUntil(lambda: ran == ["grpo"])
    window.runner.shut_down()
    assert [one.status for one in queue.entries()] == ["not begun"]
    assert module.PATIENCE >= 5


@pytest.mark.parametrize("method", turn(("sft", "dpo"), 2))
def test_a_queued_flow_ends_in_the_run_history(
    open_editor: Any, workspace: Path, tmp_path: Path, qtbot: Any, method: str
) -> None:
    """By the menu, with a real process."""
    editor = open_editor(flows.alone(method))
    queueing = editor.shell.queueing
    queueing.runner.queue = Queue(tmp_path / "queue")
    editor.shell.document.place(workspace / "flow.json")
    editor.shell.actions["enqueue"].trigger()
    assert [one.title for one in queueing.runner.queue.entries()] == [method]
    with qtbot.waitSignal(queueing.runner.ended, timeout=240_000) as blocker:
        queueing.runner.start()
        assert queueing.runner.is_running
    assert blocker.args[1] == "done", queueing.runner.queue.entries()[0].error
    (run,) = past_runs(Path.cwd() / "outputs")
    assert (run.flow, run.status, list(run.stages)) == (method, "done", [method])
    qtbot.waitUntil(lambda: not queueing.runner.is_running)


def test_a_flow_with_problems_is_not_queued(open_editor: Any, tmp_path: Path) -> None:
    editor = open_editor(flows.alone("sft", learning_rate=-1))
    queueing = editor.shell.queueing
    queueing.runner.queue = Queue(tmp_path / "queue")
    assert not queueing.add()
    assert editor.state.findings
    assert queueing.runner.queue.entries() == []


def test_code_that_is_not_allowed_is_not_queued(open_editor: Any, tmp_path: Path) -> None:
    editor = open_editor(flows.alone("grpo"))
    queueing = editor.shell.queueing
    queueing.runner.queue = Queue(tmp_path / "queue")
    asked: list[Any] = []
    editor.shell.runs.ask = lambda items: asked.append(items) and False
    assert not queueing.add()
    assert len(asked) == 1
    assert queueing.runner.queue.entries() == []
