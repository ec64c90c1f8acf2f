"""Training that goes on after its end: some steps more, from the last checkpoint, with a schedule over the whole."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from accelerate import PartialState
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .checkpoints import is_amid_rollout, newest_checkpoint

FIRST_PART = "first_part.json"  # beside the checkpoints: after how many steps the first part was over


class FirstPart(TrainerCallback):
    """Saves a checkpoint at the end, whatever the strategy of saving is: the second part goes on from it."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Refuse an end amid a rollout, which GRPO does not store, before any step is made."""
        if is_amid_rollout(args, state.max_steps):
            batches = args.steps_per_generation * args.num_iterations
            raise ValueError(
                f"extra_steps can go on from the end of a rollout only: of {state.max_steps} steps with "
                f"{args.gradient_accumulation_steps} batches each, the last one lies amid a rollout, which is used for "
                f"{batches} batches. Set max_steps so that its batches are a multiple of {batches}."
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> TrainerControl:
        control.should_save |= state.global_step >= state.max_steps
        return control


class SecondPart(TrainerCallback):
    """Begins with the learning rate that a schedule over both parts has there, not with that of the first one's end."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        scheduler = getattr(kwargs["lr_scheduler"], "scheduler", kwargs["lr_scheduler"])
        factors = getattr(scheduler, "lr_lambdas", ())  # none where the schedule depends on a metric, not on the step
        rates = [rate * factor(scheduler.last_epoch) for rate, factor in zip(scheduler.base_lrs, factors, strict=False)]
        for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=False):
            group["lr"] = rate
        scheduler._last_lr = rates or scheduler.get_last_lr()  # which is what is logged


def train_longer(
    train: Callable[..., Trainer], configure: Callable[[], TrainingArguments], checkpoints: Path, extra_steps: int
) -> Trainer:
    """Train as configured, then `extra_steps` more from the checkpoint at its end; return the last trainer.

    Weights, optimizer, random numbers and the order of the rows go on, so it makes no difference whether the first
    part was trained just now, or by a stage without extra steps whose `checkpoints` these are.
    """
    steps = steps_of_first_part(checkpoints)
    if steps is None:
        trainer = train(configure(), FirstPart())
        steps = trainer.state.global_step
        if steps < trainer.state.max_steps:  # ended early, to be kept as it is
            return trainer
        del trainer  # and its memory, before the next one takes as much
        note_first_part(checkpoints, steps)
    args = configure()
    args.max_steps = steps + extra_steps
    return train(args, SecondPart())


def steps_of_first_part(checkpoints: Path) -> int | None:
    """After how many steps the first part was over, or None where it is not, or its last checkpoint is not whole."""
    newest = newest_checkpoint(checkpoints)
    if newest is None:
        return None
    state = json.loads(Path(newest, "trainer_state.json").read_text())
    noted = checkpoints / FIRST_PART
    # without a note, these are the checkpoints of a training without extra steps
    end = json.loads(noted.read_text())["steps"] if noted.is_file() else state["max_steps"]
    return end if state["global_step"] >= end else None


def note_first_part(checkpoints: Path, steps: int) -> None:
    """Write down that the first part is over: what is saved from here on belongs to the second."""
    if PartialState().is_main_process:
        unfinished = checkpoints / f"{FIRST_PART}.unfinished"
        with unfinished.open("w") as file:
            json.dump({"steps": steps}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, checkpoints / FIRST_PART)
    PartialState().wait_for_everyone()
