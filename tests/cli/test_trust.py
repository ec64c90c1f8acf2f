"""Code that is new to this machine is asked about before a run, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from flows import BASE, draw, node, save
from typer.testing import CliRunner

from ryven_llm_nodes.catalogue import RewardFunction, SaveModel
from ryven_llm_nodes.cli import app


def ryven_llm(*arguments: object) -> tuple[int, str, str]:
    """Exit status, output and errors of a command."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


LINE = "error: Reward Function 'score' > code: runs Python code of its own, which you have not allowed yet; review it"


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the code of the flow makes when it is run; nothing was seen yet."""
    monkeypatch.setenv("RYVEN_LLM_STATE", str(tmp_path / "state"))
    return tmp_path / "ran"


@pytest.fixture
def flow(marker: Path, work: Path) -> Path:
    """A flow whose code makes it."""
    code = f"open({str(marker)!r}, 'w').close()\n\ndef reward(completions, **kwargs):\n    return [0.0]"
    return save(draw(base=BASE, score=node(RewardFunction, code=code)), work / "f.json")


def test_check_and_export_run_nothing_and_ask_nothing(flow: Path, marker: Path) -> None:
    status, _, errors = ryven_llm("check", flow)
    assert (status, errors.startswith("note: Reward Function 'score' > code: is not tried in a check")) == (0, True)
    assert "a run shows it and asks" in errors  # the editor shows the same note, and has no --trust
    assert ryven_llm("export", flow)[::2] == (0, "")
    assert not marker.exists()


def test_a_run_without_a_terminal_is_refused(flow: Path, marker: Path, work: Path) -> None:
    status, output, errors = ryven_llm("run", flow, "--output-dir", work / "out")
    assert (status, output, errors) == (2, "", f"{LINE}, then run again with --trust.\n")
    assert not marker.exists()
    assert not (work / "out").exists()


def test_a_value_from_the_command_line_is_asked_about_too(flow: Path, marker: Path, work: Path) -> None:
    setting = "score.code=def f(completions, **kwargs): return [0]"
    status, _, errors = ryven_llm("run", flow, "--set", setting, "--output-dir", work / "out")
    assert (status, errors) == (2, f"{LINE}, then run again with --trust.\n")


@pytest.mark.slow
def test_trust_runs_and_remembers(flow: Path, marker: Path, work: Path) -> None:
    assert ryven_llm("run", flow, "--output-dir", work / "out", "--trust")[0] == 0
    assert marker.exists()
    marker.unlink()
    assert ryven_llm("run", flow, "--output-dir", work / "out")[0] == 0
    assert marker.exists()


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_at_a_terminal(answer: str, flow: Path, marker: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ryven_llm_nodes.terminal.display.is_terminal", lambda: True)
    command = ["run", str(flow), "--output-dir", str(work / "out")]
    done = CliRunner().invoke(app, command, input=f"{answer}\n")
    assert "Reward Function 'score' > code: runs Python code of its own" in done.stderr
    assert "def reward(completions, **kwargs):" in done.stderr
    assert "Run this code? [y/N]" in done.stderr
    assert marker.exists() == (answer == "y")
    assert done.exit_code == (0 if answer == "y" else 2)
    assert (LINE in done.stderr) == (answer != "y")


def test_a_bad_flow_is_not_asked_about(marker: Path, work: Path) -> None:
    flow = save(draw(score=node(RewardFunction, code="def ("), base=BASE), work / "f.json")
    assert "syntax error" in ryven_llm("run", flow)[2]


def test_a_flow_without_code_needs_no_trust(marker: Path, work: Path) -> None:
    assert ryven_llm("run", save(draw(base=BASE), work / "f.json"), "--output-dir", work / "out")[0] == 0


def test_places_outside_the_run(marker: Path, work: Path) -> None:
    drawn = draw("base -> final", base=BASE, final=node(SaveModel, folder="../elsewhere"))
    status, _, errors = ryven_llm("run", save(drawn, work / "f.json"), "--output-dir", work / "out")
    assert status == 2
    assert errors.startswith("error: Save Model 'final' > folder: writes to '../elsewhere', outside the folder of")
    assert not (work / "elsewhere").exists()
