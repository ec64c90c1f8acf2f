"""What the libraries read from the environment is set before they are imported, and never over the user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flows import REWARD, alone, program, script

from ryven_llm_nodes.cli import commands
from ryven_llm_nodes.program import environment
from ryven_llm_nodes.program.environment import LINES, NAMES, prepare_environment, prepared_environment
from ryven_llm_nodes.run import run_program

REAL_IS_BUSY = environment.is_busy


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(environment, "is_busy", lambda: False)


def test_a_script_sets_it_before_it_imports_torch(data: Path) -> None:
    before, _, _ = script(alone("sft"), data).partition("\nimport torch\n")
    assert LINES in before


@pytest.mark.parametrize("given", [{}, {"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "7"}])
def test_a_script_sets_what_a_run_sets(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = []
    for prepare in (prepare_environment, lambda: exec(LINES, {"os": os})):
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        prepare()
        outcomes.append({name: os.environ.get(name) for name in NAMES})
    assert outcomes[0] == outcomes[1]
    assert given.items() <= outcomes[0].items()
    assert outcomes[0]["GOMP_SPINCOUNT"] == {"active": None}.get(
        given.get("OMP_WAIT_POLICY", ""), given.get("GOMP_SPINCOUNT", "2500")
    )


def test_on_a_busy_machine_waiting_threads_leave_the_processor_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "is_busy", lambda: True)
    prepare_environment()
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"]) == ("passive", "0")


@pytest.mark.parametrize(
    ("running", "busy"), [([2, 3, 2, 2, 2], True), ([2, 2, 1, 2, 2], False), ([1] * 5, False), ([], False)]
)
def test_a_machine_is_busy_where_something_else_runs_at_every_look(
    running: list[int], busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(running)

    class Told:
        @staticmethod
        def read_text() -> str:
            if not running:
                raise FileNotFoundError
            return f"0.50 0.20 0.10 {next(looks)}/120 4711\n"

    monkeypatch.setattr(environment, "LOAD", Told)
    assert REAL_IS_BUSY() is busy


def test_every_command_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "app", lambda: None)
    commands.main()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    prepare_environment()
    assert os.environ["OMP_WAIT_POLICY"] == "active"
    with prepared_environment():
        assert os.environ["OMP_WAIT_POLICY"] == "active"
    assert os.environ["OMP_WAIT_POLICY"] == "active"


def test_a_run_sets_it_and_leaves_the_process_as_it_was(workspace: Path, tmp_path: Path) -> None:
    code = f"import os\nSEEN = [os.environ.get(name) for name in {sorted(NAMES)}]\nprint(SEEN)\nassert all(SEEN)\n"
    drawn = alone("ppo")
    (placed,) = (n for n in drawn["flows"]["ppo"]["nodes"] if n["identifier"].endswith("RewardFunction"))
    placed["additional data"]["params"]["code"] = code + REWARD
    assert run_program(program(drawn, workspace), tmp_path).error is None
    assert not set(NAMES) & set(os.environ)
