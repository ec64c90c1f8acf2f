"""Resuming on another number of processes than before."""

import shutil
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import Trainer

from .checkpoints import checkpoints


class ElasticTrainer(Trainer):
    """What a trainer does otherwise if any number of processes may resume from its checkpoints.

    Rows are read in the same order by any number of processes, and a global batch holds the same rows. Of what a
    checkpoint contains, only the random states are counted by process; the states of all are alike while nothing is
    sampled, so that others can take over the first one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        state = PartialState()
        if state.is_main_process:
            for checkpoint in checkpoints(Path(self.args.output_dir).parent):
                share_random_state(checkpoint, state.num_processes)
        state.wait_for_everyone()


def elastic(trainer_class: type[Trainer]) -> type[Trainer]:
    """The same trainer, which resumes from checkpoints of any number of processes."""
    return type(trainer_class.__name__, (ElasticTrainer, trainer_class), {})


def share_random_state(checkpoint: Path, processes: int) -> None:
    """Give a checkpoint as many random states as there are processes: copies of the first one.

    Nothing is done to one whose weights or optimizer were spread over processes, by DeepSpeed or FSDP.
    """
    written = sorted(checkpoint.glob("rng_state*.pth"))
    parts = [*checkpoint.glob("global_step*"), *checkpoint.glob("*/.metadata")]
    if len(written) in (0, processes) or parts:
        return
    names = [f"rng_state_{rank}.pth" for rank in range(processes)] if processes > 1 else ["rng_state.pth"]
    for name in names:
        if not (checkpoint / name).exists():
            shutil.copyfile(written[0], checkpoint / name)
    for file in written:
        if file.name not in names:
            file.unlink()
