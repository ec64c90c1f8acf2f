"""What the libraries read from the environment is set before they are imported, and never over the user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flows import REWARD, alone, program, script

from ryven_llm_nodes import cli
from ryven_llm_nodes.program.environment import ENVIRONMENT, prepare_environment, prepared_environment
from ryven_llm_nodes.run import run_program


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_a_script_sets_it_before_it_imports_torch(data: Path) -> None:
    lines = script(alone("sft"), data).split("\n")
    torch = lines.index("import torch")
    for name, value in (("HF_HUB_DISABLE_TELEMETRY", "1"), ("OMP_WAIT_POLICY", "passive")):
        assert any(line.startswith(f'os.environ.setdefault("{name}", "{value}")') for line in lines[:torch])


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
    code = (
        f"import os\nSEEN = [os.environ.get(name) for name in {sorted(ENVIRONMENT)}]\nprint(SEEN)\nassert all(SEEN)\n"
    )
    drawn = alone("ppo")
    (placed,) = (n for n in drawn["flows"]["ppo"]["nodes"] if n["identifier"].endswith("RewardFunction"))
    placed["additional data"]["params"]["code"] = code + REWARD
    assert run_program(program(drawn, workspace), tmp_path).error is None
    assert not set(ENVIRONMENT) & set(os.environ)
