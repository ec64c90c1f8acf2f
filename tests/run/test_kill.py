"""kill -9 at random moments: whatever is torn, the run that goes on ends with the bits of an uninterrupted one.

Each day some of the methods, with LoRA or without; RYVEN_LLM_KILLS=40 makes 40. With RYVEN_LLM_KILLS_APART=1
stages run in processes of their own: one half of the kills hits these, the other those that started them.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import flows
import further
import psutil
import pytest
from children import run_saving_every_step
from rotation import turn

KILLS = os.environ.get("RYVEN_LLM_KILLS")
APART = bool(os.environ.get("RYVEN_LLM_KILLS_APART"))
CASES = list(itertools.product((*flows.METHODS, *further.KINDS), (False, True)))


@pytest.fixture(scope="module")
def context() -> multiprocessing.context.BaseContext:
    """Children are forked from a server that has imported the libraries, and computed nothing, once."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["trl.trainer.grpo_trainer", "trl.trainer.sft_trainer", "trl.trainer.dpo_trainer"])
    return server


@pytest.fixture(scope="module")
def place(workspace: Path) -> Path:
    """The folder of the tests with the rows and the teacher that some methods take."""
    further.write_rows(workspace)
    return workspace


def wait_for(folder: Path, child: multiprocessing.context.SpawnProcess) -> None:
    """Until the first checkpoint: kills shall hit training, saving and moving rather than imports."""
    while not folder.exists() and child.is_alive():
        time.sleep(0.002)


def stages_of(child: multiprocessing.context.SpawnProcess) -> list[psutil.Process]:
    """The processes that run a stage for it."""
    with suppress(psutil.NoSuchProcess):
        return [one for one in psutil.Process(child.pid).children() if "run.execute.worker" in " ".join(one.cmdline())]
    return []


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(int(KILLS)) if KILLS else turn(range(len(CASES)), 6))
def test_a_killed_run_goes_on_to_the_same_bits(
    number: int, context: multiprocessing.context.SpawnContext, place: Path, tmp_path: Path
) -> None:
    method, lora = CASES[number % len(CASES)]

    def start(folder: str) -> multiprocessing.context.SpawnProcess:
        arguments = (place, tmp_path / folder, method, lora, APART)
        child = context.Process(target=run_saving_every_step, args=arguments)
        child.start()
        return child

    whole = start("whole")
    wait_for(tmp_path / "whole" / method / "checkpoints", whole)
    began = time.monotonic()
    whole.join()
    seconds = time.monotonic() - began
    assert whole.exitcode == 0

    killed = start("killed")
    wait_for(tmp_path / "killed" / method / "checkpoints", killed)
    time.sleep(random.Random(number).uniform(0, 0.9 * seconds))
    stages = stages_of(killed)
    with suppress(ProcessLookupError):  # a machine that is faster this time may have finished
        os.kill(stages[0].pid if stages and number % 2 else killed.pid or 0, signal.SIGKILL)
    killed.join()
    assert not psutil.wait_procs(stages, timeout=5)[1], "no process is left"

    again = start("killed")
    again.join()
    assert again.exitcode == 0
    assert weights(tmp_path / "killed" / method) == weights(tmp_path / "whole" / method)
