"""What a flow asks for and this machine lacks is refused by a check and a run, not by an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest
from typer.testing import CliRunner

from ryven_llm_nodes.cli import app
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.examine import here

CASES = {
    "report_to": ("wandb", "'wandb' needs the package wandb, which is not installed here; pip install wandb, or"),
    "optim": ("lion_8bit", "'lion_8bit' needs the package bitsandbytes, which is not installed here;"),
    "use_liger_kernel": (True, "True needs the package liger_kernel, which is not installed here; pip install liger-"),
    "push_to_hub": (True, "uploads to the Hub, but HF_HUB_OFFLINE is set; unset it, or clear this."),
}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any of the packages, and without network."""
    monkeypatch.setattr(here, "is_installed", lambda module: False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("field", CASES)
def test_is_named(field: str, data: Path) -> None:
    value, message = CASES[field]
    (problem,) = here.here_problems(flows.program(flows.alone("sft", **{field: value}), data))
    assert str(problem).startswith(f"SFT 'sft' > {field}: {message}")


@pytest.mark.usefixtures("bare")
def test_each_of_several_reports_is_named(data: Path) -> None:
    program = flows.program(flows.alone("sft", report_to=["wandb", "mlflow"]), data)
    assert ["wandb" in str(p) for p in here.here_problems(program)] == [True, False]


def test_what_is_installed_is_not(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "is_installed", lambda module: True)
    program = flows.program(flows.alone("sft", report_to="wandb", optim="lion_8bit", use_liger_kernel=True), data)
    assert list(here.here_problems(program)) == []


def test_a_check_refuses_what_an_export_writes(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "is_installed", lambda module: False)
    flow = flows.save(flows.alone("sft", report_to="wandb"), data / "with-wandb.json")
    checked = CliRunner().invoke(app, ["check", str(flow)])
    exported = CliRunner().invoke(app, ["export", str(flow), "-o", str(tmp_path / "script.py")])
    assert (checked.exit_code, exported.exit_code) == (2, 0)
    assert 'report_to="wandb"' in (tmp_path / "script.py").read_text()


@pytest.mark.parametrize(("field", "table"), [("optim", here.OPTIMIZERS), ("report_to", here.REPORTS)])
def test_tables_name_choices_that_there_are(field: str, table: Any) -> None:
    choices = flows.CONFIGS["SFTConfig"].fields[field].choices
    assert set(table) <= set(choices)


def test_what_needs_no_package_is_not_in_the_table() -> None:
    """The optimizers of torch and transformers themselves; a new one has to be put on one side or the other."""
    own = {"adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop"}
    assert set(flows.CONFIGS["SFTConfig"].fields["optim"].choices) - set(here.OPTIMIZERS) == own


def test_a_run_names_what_lacks_once(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would refuse it too, when the optimizer is tried."""
    program = flows.program(flows.alone("sft", optim="lion_8bit"), workspace)
    monkeypatch.setattr(here, "is_installed", lambda module: False)
    (problem,) = run_program(program, tmp_path).error.problems
    assert str(problem).startswith("SFT 'sft' > optim: 'lion_8bit' needs the package bitsandbytes")
