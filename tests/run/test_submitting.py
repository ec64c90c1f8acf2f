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
FORGOTTEN = "echo 'slurm_load_jobs error: Invalid job id specified' >&2\nexit 1\n"
"""What squeue 22.05 says about a job that ended more than MinJobAge seconds ago."""


def answers(*lines: str) -> str:
    """A squeue that gives one answer after the other, and the last one from then on."""
    cases = "".join(f"  {n}) {line};;\n" for n, line in enumerate(lines[:-1]))
    count = "n=$(cat polls 2>/dev/null || echo 0); echo $((n + 1)) > polls\n"
    return f"{count}case $n in\n{cases}  *) {lines[-1]};;\nesac\n"


def submitted(file: Path, said: list[str], target: str = "slurm") -> str:
    """How a job ended; what it printed goes to ``said``, with its number in an array."""
    return submit(file, target, said.append, lambda part, line: said.append(f"{part}|{line}" if part else line), 0.01)


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
    assert submitted(folder / "job.sbatch", said) == "COMPLETED"
    assert said[0].startswith("job 42 is submitted; its output goes to job-42.out")
    assert said[1:] == ["line 1", "poll 0", "poll 1", "poll 2"]


def test_a_refusal_is_passed_on(folder: Path) -> None:
    command(folder, "sbatch", 'echo "sbatch: error: invalid partition" >&2\nexit 1\n')
    with pytest.raises(LLMNodesError, match=r"sbatch refused job.sbatch: sbatch: error: invalid partition"):
        submitted(folder / "job.sbatch", [])


def test_a_job_that_is_requeued_is_followed_to_its_real_end(folder: Path) -> None:
    """Its end is what the queue says as long as it remembers; an unreachable controller is no end."""
    command(folder, "sbatch", "echo 42\n")
    unreachable = "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1"
    command(folder, "squeue", answers("echo RUNNING", "echo PENDING", unreachable, "echo RUNNING", "echo FAILED"))
    said: list[str] = []
    assert submitted(folder / "job.sbatch", said) == "FAILED"
    assert (folder / "polls").read_text() == "5\n"
    assert said[1:] == ["squeue: slurm_load_jobs error: Unable to contact slurm controller; the job is not affected"]


def test_all_jobs_of_an_array_are_followed(folder: Path) -> None:
    (folder / "job.sbatch").write_text("#!/bin/bash\n#SBATCH --array=0-1\n")
    command(folder, "sbatch", "echo one > job-42_0.out; echo two > job-42_1.out; echo 42\n")
    command(folder, "squeue", answers("echo 'RUNNING\nCOMPLETED'", "echo 'TIMEOUT\nCOMPLETED'"))
    said: list[str] = []
    assert submitted(folder / "job.sbatch", said) == "TIMEOUT"
    assert said[1:] == ["0|one", "1|two"]


def test_a_job_that_nothing_remembers_has_ended(folder: Path) -> None:
    for name, body in {"sbatch": "echo 42\n", "squeue": FORGOTTEN, "sacct": "exit 1\n"}.items():
        command(folder, name, body)
    assert submitted(folder / "job.sbatch", []) == "ENDED"


def test_without_the_scheduler_it_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(UsageError, match=r"sbatch is not installed here\. Write the files with `export"):
        submitted(folder / "job.sbatch", [])
    with pytest.raises(UsageError, match="submit goes to slurm or skypilot, got 'accelerate'"):
        submitted(folder / "job.sbatch", [], "accelerate")


@pytest.mark.parametrize(("status", "state"), [(0, "COMPLETED"), (3, "FAILED")])
def test_skypilot_prints_by_itself(status: int, state: str, folder: Path) -> None:
    command(folder, "sky", f'echo "sky $*"\necho trained\nexit {status}\n')
    said: list[str] = []
    assert submitted(folder / "job.sky.yaml", said, "skypilot") == state
    assert said == ["sky launch --yes --down --cluster job job.sky.yaml", "trained"]
