"""Atomic checkpoints, and resuming from the newest one."""

import json
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl.trainer.utils import RepeatSampler

FINISHED = "finished"  # marks the folder of a stage whose model is saved


class AtomicCheckpoints(TrainerCallback):
    """Moves each checkpoint into `folder` once it is fully on disk.

    The trainer writes to its `output_dir`, a staging folder; anything found there is left over from a crash. With
    `save_total_limit` the oldest are removed only after the next one is in place. GRPO and PPO use a rollout for
    several steps and GRPO does not save it, so a checkpoint that is due mid-rollout waits for the end of the rollout.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.is_due = folder, False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Restore what a checkpoint does not contain: the path of the best one, and the order of the rows."""
        if state.best_model_checkpoint and not os.path.exists(state.best_model_checkpoint):
            state.best_model_checkpoint = str(self.folder / Path(state.best_model_checkpoint).name)
        sampler = innermost_sampler(kwargs.get("train_dataloader"))
        if isinstance(sampler, RepeatSampler) and sampler.shuffle:
            for _ in range(int(state.epoch or 0)):  # GRPO draws one order after the other
                torch.randperm(sampler.num_samples, generator=sampler.generator)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Defer a checkpoint until the rollout is used up."""
        self.is_due |= control.should_save
        control.should_save = self.is_due and not is_amid_rollout(args, state.global_step)
        self.is_due &= not control.should_save
        return control

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Move the checkpoint that was just written."""
        name = f"checkpoint-{state.global_step}"
        written, kept = Path(args.output_dir) / name, self.folder / name
        PartialState().wait_for_everyone()
        if state.is_world_process_zero:
            flush(written)
            shutil.rmtree(kept, ignore_errors=True)
            os.replace(written, kept)
            self.remove_oldest(args.save_total_limit, state.best_model_checkpoint)
        if state.best_model_checkpoint == str(written):
            state.best_model_checkpoint = str(kept)
        PartialState().wait_for_everyone()

    def remove_oldest(self, limit: int | None, best: str | None) -> None:
        """Keep the newest `limit` checkpoints, and the best."""
        for checkpoint in checkpoints(self.folder)[: -(limit or 10**9)]:
            if best is None or checkpoint.name != Path(best).name:
                shutil.rmtree(checkpoint, ignore_errors=True)


def innermost_sampler(loader: Any) -> Any:
    """The sampler of a data loader, below any wrappers that shard or skip batches."""
    while hasattr(loader, "batch_sampler"):
        loader = loader.batch_sampler
    return getattr(loader, "sampler", None)


def is_amid_rollout(args: TrainingArguments, step: int) -> bool:
    """Whether optimizer step `step + 1` uses the same rollout as step `step`. False without rollouts."""
    if not hasattr(args, "steps_per_generation"):
        return False
    batches_per_rollout = args.steps_per_generation * args.num_iterations
    return step * args.gradient_accumulation_steps % batches_per_rollout != 0


def flush(folder: Path) -> None:
    """Make sure that every file of `folder` has reached the disk."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, oldest first."""
    found = [path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name)]
    return sorted(found, key=lambda path: int(path.name.split("-")[1]))


def newest_checkpoint(folder: Path) -> str | None:
    """The checkpoint to resume from, or None to start; half-written ones left by a crash are removed.

    Nothing else is removed: the trainer has already created files there, such as logged completions.
    """
    if PartialState().is_main_process:
        for leftover in (folder / "unfinished").glob("*checkpoint-*"):
            shutil.rmtree(leftover, ignore_errors=True)
    return next((str(path) for path in reversed(checkpoints(folder)) if is_complete(path)), None)


def is_complete(checkpoint: Path) -> bool:
    """Whether a checkpoint is complete: a disk failure may leave files missing or truncated."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())  # the trainer writes this file last
        damaged = [path.name for path in checkpoint.iterdir() if is_cut_short(path)]
    except (OSError, ValueError) as error:
        damaged = [str(error)]
    if damaged and PartialState().is_main_process:
        print(f"{checkpoint} is incomplete ({', '.join(damaged)}): resuming from the previous one")
    return not damaged


def is_cut_short(path: Path) -> bool:
    """Whether a tensor file is truncated; raises ValueError if it does not start like one."""
    if path.suffix in (".pt", ".pth", ".bin"):
        return not zipfile.is_zipfile(path)  # a zip file, its directory is at the end
    if path.suffix != ".safetensors":
        return False
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")  # of the header
        header = json.loads(file.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    return 8 + length + max(ends, default=0) != path.stat().st_size


def is_finished(output_dir: Path) -> bool:
    """Whether a stage has saved its model in `output_dir`."""
    return (output_dir / FINISHED).is_file()


def finish_stage(folder: Path) -> None:
    """Mark a stage as finished, once its entire folder has reached the disk."""
    if PartialState().is_main_process:
        flush(folder)
    PartialState().wait_for_everyone()
    (folder / FINISHED).touch()


def start_over(output_dir: Path, stage: str | None = None) -> None:
    """Discard finished stages and checkpoints of an earlier run in `output_dir`, or those of one `stage`."""
    if PartialState().is_main_process:
        for path in output_dir.glob(f"{stage or '*'}/{FINISHED}"):
            path.unlink()
        for path in output_dir.glob(f"{stage or '*'}/checkpoints"):
            shutil.rmtree(path)
    PartialState().wait_for_everyone()
