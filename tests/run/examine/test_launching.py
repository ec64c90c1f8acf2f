"""What a machine without GPUs cannot do is said before anything trains."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.program.launch.settings import Launch
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.examine.launching import launch_problems


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"processes": 2, "machines": 2}, "is to be launched on 2 machines, and a run has one"),
        ({"processes": 2, "strategy": "fsdp2"}, "has the strategy 'fsdp2', which needs GPUs"),
        ({"processes": 2, "strategy": "zero2"}, "has the strategy 'zero2', which needs GPUs"),
    ],
)
def test_what_is_not_possible_here(given: dict[str, object], said: str, workspace: Path) -> None:
    program = flows.program(flows.alone("sft"), workspace, launch=Launch(given))
    (problem,) = launch_problems(program)
    assert (problem.step, said in str(problem)) == ("sft", True)


def test_what_is_possible(workspace: Path) -> None:
    for given in ({}, {"processes": 2}, {"strategy": "fsdp2"}):
        assert list(launch_problems(flows.program(flows.alone("sft"), workspace, launch=Launch(given)))) == []


def test_a_run_ends_before_it_trains(workspace: Path, tmp_path: Path) -> None:
    launch = Launch({"processes": 2, "strategy": "zero3"})
    outcome = run_program(flows.program(flows.alone("sft"), workspace, launch=launch), tmp_path)
    assert outcome.status == "failed"
    assert "SFT 'sft' > launch: has the strategy 'zero3', which needs GPUs" in str(outcome.error)
