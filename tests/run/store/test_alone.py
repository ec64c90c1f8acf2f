"""Two runs into one folder at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run import Event, run_program
from ryven_llm_nodes.run.events import Progress
from ryven_llm_nodes.run.records.history import past_runs
from ryven_llm_nodes.run.store.alone import alone_in, is_taken


def test_the_second_is_refused_and_the_first_is_not_disturbed(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(flows.alone("sft"), workspace)
    run_program(program, tmp_path / "undisturbed")
    refused: list[str] = []

    def start_another(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 1:
            outcome = run_program(program, tmp_path / "out", fresh=True)
            refused.append(f"{outcome.status}: {outcome.error}")

    assert run_program(program, tmp_path / "out", start_another).status == "done"
    folder = tmp_path / "out"
    assert refused == [
        f"failed: another run is writing to {folder}; wait for it to end, stop it, or choose another --output-dir."
    ]
    assert len(past_runs(folder)) == 1, "the refused one has left nothing there"
    weights = [(tmp_path / name / "sft/model.safetensors").read_bytes() for name in ("out", "undisturbed")]
    assert weights[0] == weights[1]


def test_from_another_process(tmp_path: Path) -> None:
    with alone_in(tmp_path):
        child = os.fork()
        if child == 0:
            try:
                with alone_in(tmp_path):
                    os._exit(0)
            except UsageError:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert is_taken(tmp_path)
    assert not is_taken(tmp_path)


def test_one_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with alone_in(tmp_path):
            os.write(tell, b"!")
            signal.pause()
    try:
        assert os.read(told, 1) == b"!"
        assert is_taken(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert not is_taken(tmp_path)
    with alone_in(tmp_path):
        assert is_taken(tmp_path)


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_folder_that_cannot_be(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UsageError, match=r"^cannot write to .*; choose another --output-dir\.$"),
        alone_in(tmp_path / place),
    ):
        pass
