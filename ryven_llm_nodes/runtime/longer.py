"""Training beyond the end of a run: extra steps from the last checkpoint, with a schedule over the full length."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from accelerate import PartialState
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .checkpoints import is_amid_rollout, newest_checkpoint

FIRST_PART = "first_part.json"  # next to the checkpoints: number of steps of the first part


class FirstPart(TrainerCallback):
    """Saves a checkpoint at the end, whatever `save_strategy` is: the second part resumes from it."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Refuse to end mid-rollout, which GRPO does not save, before any step is made."""
        if is_amid_rollout(args, state.max_steps):
            batches = args.steps_per_generation * args.num_iterations
            raise ValueError(
                f"extra_steps can only continue from the end of a rollout: of {state.max_steps} steps with "
                f"{args.gradient_accumulation_steps} batches each, the last one is mid-rollout, which is used for "
                f"{batches} batches. Set max_steps so that its batches are a multiple of {batches}."
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> TrainerControl:
        control.should_save |= state.global_step >= state.max_steps
        return control


class SecondPart(TrainerCallback):
    """Starts with the learning rate of a schedule over both parts, not with the final one of the first part."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        scheduler = getattr(kwargs["lr_scheduler"], "scheduler", kwargs["lr_scheduler"])
        factors = getattr(scheduler, "lr_lambdas", ())  # none if the schedule depends on a metric, not on the step
        rates = [rate * factor(scheduler.last_epoch) for rate, factor in zip(scheduler.base_lrs, factors, strict=False)]
        for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=False):
            group["lr"] = rate
        scheduler._last_lr = rates or scheduler.get_last_lr()  # this one is logged


def train_longer(
    train: Callable[..., Trainer], configure: Callable[[], TrainingArguments], checkpoints: Path, extra_steps: int
) -> Trainer:
    """Train as configured, then `extra_steps` more from the checkpoint at its end; return the last trainer.

    Weights, optimizer, random states and the order of the rows are restored, so it makes no difference whether the
    first part was trained just now, or by a stage without extra steps whose `checkpoints` these are.
    """
    steps = steps_of_first_part(checkpoints)
    if steps is None:
        trainer = train(configure(), FirstPart())
        steps = trainer.state.global_step
        if steps < trainer.state.max_steps:  # ended early, to be kept as is
            return trainer
        del trainer  # free its memory before the next one is created
        note_first_part(checkpoints, steps)
    args = configure()
    args.max_steps = steps + extra_steps
    return train(args, SecondPart())


def steps_of_first_part(checkpoints: Path) -> int | None:
    """Number of steps of the first part, or None if it is not finished or its last checkpoint is incomplete."""
    newest = newest_checkpoint(checkpoints)
    if newest is None:
        return None
    state = json.loads(Path(newest, "trainer_state.json").read_text())
    noted = checkpoints / FIRST_PART
    # without this file, these are the checkpoints of a training without extra steps
    end = json.loads(noted.read_text())["steps"] if noted.is_file() else state["max_steps"]
    return end if state["global_step"] >= end else None


def note_first_part(checkpoints: Path, steps: int) -> None:
    """Record that the first part is finished: checkpoints from here on belong to the second."""
    if PartialState().is_main_process:
        unfinished = checkpoints / f"{FIRST_PART}.unfinished"
        with unfinished.open("w") as file:
            json.dump({"steps": steps}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, checkpoints / FIRST_PART)
    PartialState().wait_for_everyone()
