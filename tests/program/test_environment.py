"""What the libraries read from the environment is set before they are imported, and never over the user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flows import REWARD, alone, program, script

from ryven_llm_nodes import cli
from ryven_llm_nodes.program.environment import LINES, NAMES, prepare_environment, prepared_environment
from ryven_llm_nodes.run import run_program


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


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


def test_every_command_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "app", lambda: None)
    cli.main()
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
