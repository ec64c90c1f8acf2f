"""`ryven-llm export --launch` and `submit`: what is written, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from flows import alone, save
from typer.testing import CliRunner

from ryven_llm_nodes.cli import app


def ryven_llm(*arguments: object) -> tuple[int, str, str]:
    """Exit status, output and errors of a command."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def flow(data: Path, tmp_path: Path) -> Path:
    return save(alone("sft"), data / "launching.json")


def test_a_script_is_written_with_what_launches_it(flow: Path, tmp_path: Path) -> None:
    options = ("--launch", "slurm", "--launch", "strategy=fsdp2,processes=4", "--seeds", "1,2")
    assert ryven_llm("export", flow, "-o", tmp_path / "job.py", *options)[0] == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["job.accelerate.yaml", "job.py", "job.sbatch"]
    assert "sharded(SFTTrainer)" in (tmp_path / "job.py").read_text()
    assert "num_processes: 4" in (tmp_path / "job.accelerate.yaml").read_text()
    assert "SEEDS=(1 2)" in (tmp_path / "job.sbatch").read_text()


def test_what_is_refused_says_what_to_do(flow: Path, tmp_path: Path) -> None:
    status, _, said = ryven_llm("export", flow, "--launch", "slurm")
    assert (status, "give --output FILE.py" in said) == (2, True)
    status, _, said = ryven_llm("export", flow, "-o", tmp_path / "job.py", "--launch", "slurm", "--seeds", "one")
    assert (status, "give whole numbers with commas" in said) == (2, True)
    status, _, said = ryven_llm("export", flow, "--launch", "strategy=ddp,cpu_offload=true")
    assert (status, "launch > cpu_offload: needs the strategy fsdp2" in said) == (2, True)


def test_a_job_is_submitted_and_its_end_is_the_exit_status(
    flow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, body in {"sbatch": "echo 5", "squeue": "echo FAILED"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "job").mkdir()
    printed = "  2/4 [00:01<00:01,  1.00it/s]"
    log = f" 50%|#####     | {printed}\n{{'loss': '2.5', 'epoch': '0.5'}}\ntrained\n"
    (tmp_path / "job/job-5.out").write_text(log)
    status, printed, said = ryven_llm("submit", flow, "-o", tmp_path / "job/job.py")
    assert (status, printed.splitlines()[1:]) == (1, ["  sft step 2: loss 2.500", "trained"])
    assert "the job ended: FAILED" in said
    assert (tmp_path / "job/job.sbatch").is_file()


def test_a_plan_is_for_gpus_that_are_known(flow: Path) -> None:
    status, _, said = ryven_llm("plan", flow, "--gpus", "8xH10")
    assert (status, "Did you mean 'H100'? GPUs: A100-40GB, A100, H100" in said) == (2, True)
