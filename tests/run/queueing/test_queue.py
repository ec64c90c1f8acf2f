"""The queue of flows: a file that survives restarts, and editors that end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.run.queueing import queue as module
from ryven_llm_nodes.run.queueing.queue import FILE, Queue, queued
from ryven_llm_nodes.system.processes import birth


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "state")


def fill(queue: Queue, data: Path, *methods: str) -> list[str]:
    """Queues a flow of each method; returns the ids."""
    for method in methods:
        queue.add(queued(flows.graph(flows.alone(method), data), data / "outputs" / method))
    return [one.id for one in queue.entries()]


def titles(queue: Queue) -> list[str]:
    return [one.title for one in queue.entries()]


def test_a_flow_is_queued_as_it_was_drawn(queue: Queue, data: Path) -> None:
    fill(queue, data, "sft", "dpo")
    again = Queue(queue.file.parent)
    first, second = again.entries()
    assert (first.title, second.title) == ("sft", "dpo")
    assert first.program().script.text == flows.program(flows.alone("sft"), data).script.text
    assert first.output == str(data / "outputs" / "sft")
    assert os.stat(queue.file).st_mode & 0o077 == 0, "only its user can read it"


def test_entries_are_moved_and_removed(queue: Queue, data: Path) -> None:
    ids = fill(queue, data, "sft", "dpo", "grpo")
    queue.move(ids[2], -2)
    assert titles(queue) == ["grpo", "sft", "dpo"]
    queue.move(ids[2], -1)
    queue.move("unknown", 1)
    assert titles(queue) == ["grpo", "sft", "dpo"]
    queue.move(ids[2], 9)
    assert titles(queue) == ["sft", "dpo", "grpo"]
    queue.remove(ids[0], ids[2])
    assert titles(queue) == ["dpo"]


def test_one_runs_at_a_time_and_the_next_after_it(queue: Queue, data: Path) -> None:
    fill(queue, data, "sft", "dpo")
    first = queue.begin_next()
    assert first is not None
    assert queue.begin_next() is None, "in another editor, too"
    queue.remove(first.id)
    assert titles(queue) == ["sft", "dpo"], "what is running stays"
    queue.end(first.id, "failed", "no luck")
    second = queue.begin_next()
    assert second is not None
    assert second.title == "dpo"
    assert [(one.status, one.error) for one in queue.entries()] == [("failed", "no luck"), ("running", "")]
    queue.end(second.id, "done")
    assert queue.begin_next() is None


def test_what_ran_in_an_editor_that_is_gone_waits_again(
    queue: Queue, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(queue, data, "sft")
    monkeypatch.setattr(module, "_this_process", lambda: f"{os.getpid()} of an earlier start of the machine")
    queue.begin_next()
    assert [one.waits for one in queue.entries()] == [True]
    monkeypatch.setattr(module, "_this_process", lambda: f"{os.getpid()} {birth(os.getpid())}")
    assert queue.begin_next() is not None
    assert [one.waits for one in queue.entries()] == [False]


@pytest.mark.parametrize("text", ["", "[]", '{"queue": 3}', '{"queue": [3, {}, {"project": {}, "title": 4}]}', "{"])
def test_a_damaged_file_is_an_empty_queue(text: str, queue: Queue, data: Path) -> None:
    queue.file.parent.mkdir()
    queue.file.write_text(text)
    assert queue.entries() == []
    fill(queue, data, "sft")
    assert titles(queue) == ["sft"]


def test_a_queue_that_cannot_be_written_is_unchanged(queue: Queue, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(queue, data, "sft")
    before = queue.file.read_text()
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(LLMNodesError, match="No space left"):
        fill(queue, data, "dpo")
    assert queue.file.read_text() == before
    assert json.loads(before)["queue"][0]["title"] == "sft"
    assert {file.name for file in queue.file.parent.iterdir()} - {FILE} <= {".queue.lock"}
