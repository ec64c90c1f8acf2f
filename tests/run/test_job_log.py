"""What an exported script printed in a Slurm job that was requeued, read as the events of a run."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.run.events import Event, Log, Metrics, Progress, StageFinished
from ryven_llm_nodes.run.job_log import JobLog


def events(*lines: str, label: str = "") -> list[Event]:
    found: list[Event] = []
    log = JobLog(("sft", "grpo"), found.append, label)
    for line in lines:
        log(line)
    return found


def bar(done: int, total: int) -> str:
    """A line of tqdm, as the version of transformers prints it into a file."""
    return f" {100 * done // total:2d}%|##        | {done}/{total} [00:01<00:03,  1.00it/s]"


RECORDED = """\
Dropping fully masked examples from train dataset: 100%|##########| 16/16 [00:00<00:00, 4600.11 examples/s]
  0%|          | 0/20 [00:00<?, ?it/s]

{'loss': '5.652', 'grad_norm': '2.864', 'learning_rate': '0.001', 'mean_token_accuracy': '0', 'epoch': '0.25'}
  5%|5         | 1/20 [00:00<00:00, 84.66it/s]
{'loss': '5.585', 'grad_norm': 'nan', 'learning_rate': '0.00095', 'mean_token_accuracy': '0', 'epoch': '0.5'}
 10%|#         | 2/20 [00:00<00:00, 108.54it/s]
Writing model shards:   0%|          | 0/1 [00:00<?, ?it/s]\x1b[A
srun: Job step aborted: Waiting up to 7 seconds for job step to finish.
Loading weights: 100%|##########| 21/21 [00:00<00:00, 23980.50it/s]
  0%|          | 0/20 [00:00<?, ?it/s]
{'loss': '5.539', 'grad_norm': '3.087', 'learning_rate': '0.0009', 'mean_token_accuracy': '0.1667', 'epoch': '0.75'}
 15%|#5        | 3/20 [00:00<00:00, 168.35it/s]
{'train_runtime': '0.7', 'train_loss': '4.9', 'epoch': '5'}
sft: outputs/job/sft
  0%|          | 0/40 [00:00<?, ?it/s]
"""
"""What Slurm 22.05 collected of a job that was requeued after its second step (most lines left out)."""


def test_a_recorded_job_is_told_like_a_run() -> None:
    found = events(*RECORDED.splitlines())
    told = [(event.step, event.done, event.values.get("loss")) for event in found if isinstance(event, Metrics)]
    assert told == [("sft", 1, 5.652), ("sft", 2, 5.585), ("sft", 3, 5.539), ("sft", 3, None)]
    assert [event.values.get("grad_norm") for event in found if isinstance(event, Metrics)][:2] == [2.864, None]
    progress = [(event.step, event.done, event.total) for event in found if isinstance(event, Progress)]
    assert progress == [("sft", done, 20) for done in (0, 1, 2, 0, 3)] + [("grpo", 0, 40)]
    assert [event.text for event in found if isinstance(event, Log)] == [
        "srun: Job step aborted: Waiting up to 7 seconds for job step to finish.",
        "sft: outputs/job/sft",
    ]


def test_a_stage_ends_with_its_folder_and_the_next_begins() -> None:
    found = events(bar(4, 4), "{'loss': '2'}", "sft: outputs/job/sft", bar(0, 40))
    assert found == [
        Progress("sft", 4, 4),
        Metrics("sft", 4, {"loss": 2.0}),
        StageFinished("sft", "outputs/job/sft"),
        Log("", "sft: outputs/job/sft"),
        Progress("grpo", 0, 40),
    ]


def test_bars_of_evaluations_and_of_files_are_no_progress() -> None:
    loading = "Loading weights: 100%|##########| 21/21 [00:00<00:00, 500.00it/s]"
    reading = "Generating train split: 16 examples [00:00, 13601.31 examples/s]"
    found = events(reading, loading, bar(1, 4), bar(1, 9), bar(2, 4))
    assert found == [Progress("sft", 1, 4), Progress("sft", 2, 4)]


@pytest.mark.parametrize("line", ["{'not metrics", "{'code': open}", "Traceback (most recent call last):"])
def test_other_lines_are_lines(line: str) -> None:
    assert events(line) == [Log("", line)]


def test_jobs_of_an_array_are_told_apart_and_a_cloud_puts_its_name_before() -> None:
    assert events(bar(1, 4), "hello", label=" [2]") == [Progress("sft [2]", 1, 4), Log("", "[2] hello")]
    assert events(f"\x1b[36m(job, rank=0, pid=12)\x1b[0m {bar(1, 4)}") == [Progress("sft", 1, 4)]
