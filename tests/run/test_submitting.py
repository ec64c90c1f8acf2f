"""Jobs are handed to sbatch and sky, here stand-ins of them, and what they print is followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ryven_llm_nodes.errors import LLMNodesError, UsageError
from ryven_llm_nodes.run.submitting import submit

SLURM = {
    "sbatch": '[ "$1" = --parsable ] && [ -f "$2" ] || exit 1\necho "line 1" > job-42.out\necho "42;cluster"\n',
    "squeue": "n=$(cat polls 2>/dev/null || echo 0); echo $((n + 1)) > polls\n"
    'echo "poll $n" >> job-42.out\n[ "$n" -lt 2 ] && echo RUNNING\nexit 0\n',
    "sacct": 'echo "          COMPLETED "\n',
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a job file, which is where commands are looked up, too."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.sbatch").write_text("#!/bin/bash\n")
    return tmp_path


def command(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/bash\n{body}")
    (folder / name).chmod(0o755)


def test_a_job_is_submitted_and_followed_until_the_queue_has_forgotten_it(folder: Path) -> None:
    for name, body in SLURM.items():
        command(folder, name, body)
    said: list[str] = []
    assert submit(folder / "job.sbatch", "slurm", said.append, seconds=0.01) == "COMPLETED"
    assert said[0].startswith("job 42 is submitted; its output goes to job-42.out")
    assert said[1:] == ["line 1", "poll 0", "poll 1", "poll 2"]


def test_a_refusal_is_passed_on(folder: Path) -> None:
    command(folder, "sbatch", 'echo "sbatch: error: invalid partition" >&2\nexit 1\n')
    with pytest.raises(LLMNodesError, match=r"sbatch refused job.sbatch: sbatch: error: invalid partition"):
        submit(folder / "job.sbatch", "slurm", print)


def test_without_the_scheduler_it_says_what_to_do(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"sbatch is not installed here\. Write the files with `export"):
        submit(folder / "job.sbatch", "slurm", print)
    with pytest.raises(UsageError, match="submit goes to slurm or skypilot, got 'accelerate'"):
        submit(folder / "job.sbatch", "accelerate", print)


@pytest.mark.parametrize(("status", "state"), [(0, "COMPLETED"), (3, "FAILED")])
def test_skypilot_prints_by_itself(status: int, state: str, folder: Path) -> None:
    command(folder, "sky", f'echo "sky $*"\necho trained\nexit {status}\n')
    said: list[str] = []
    assert submit(folder / "job.sky.yaml", "skypilot", said.append) == state
    assert said == ["sky launch --yes --down --cluster job job.sky.yaml", "trained"]
