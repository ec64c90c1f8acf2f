"""Checkpoints that are whole or not there, and going on from the newest."""

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

FINISHED = "finished"  # a stage's folder holds this file once its model is saved


class WholeCheckpoints(TrainerCallback):
    """Moves each checkpoint into `folder` when all of it is on the disk.

    The trainer writes to its `output_dir`, which is a place apart; whatever lies there was torn by a crash. With
    `save_total_limit` the oldest are removed, only after the next one is in place. GRPO and PPO use a rollout for
    several steps and GRPO does not store it, so a checkpoint that is due amid a rollout waits for its end.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.is_due = folder, False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take up what a checkpoint does not hold: where the best one lies now, and the order of the rows."""
        if state.best_model_checkpoint and not os.path.exists(state.best_model_checkpoint):
            state.best_model_checkpoint = str(self.folder / Path(state.best_model_checkpoint).name)
        sampler = innermost_sampler(kwargs.get("train_dataloader"))
        if isinstance(sampler, RepeatSampler) and sampler.shuffle:
            for _ in range(int(state.epoch or 0)):  # GRPO draws each epoch's order after those of the epochs before
                torch.randperm(sampler.num_samples, generator=sampler.generator)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Let a checkpoint wait until the rollout is used up."""
        self.is_due |= control.should_save
        control.should_save = self.is_due and not is_amid_rollout(args, state.global_step)
        self.is_due &= not control.should_save
        return control

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Move the checkpoint that has just been written."""
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
    """The sampler of a data loader, whatever splits and skips batches around it."""
    while hasattr(loader, "batch_sampler"):
        loader = loader.batch_sampler
    return getattr(loader, "sampler", None)


def is_amid_rollout(args: TrainingArguments, step: int) -> bool:
    """Whether the rollout that served optimizer step `step` also serves the next one. Never, without rollouts."""
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
    """The checkpoint to go on from, or None to begin; what a crash left half-written is removed.

    Only that: beside it lies what the trainer has made already, such as the folder of logged completions.
    """
    if PartialState().is_main_process:
        for torn in (folder / "unfinished").glob("*checkpoint-*"):
            shutil.rmtree(torn, ignore_errors=True)
    return next((str(path) for path in reversed(checkpoints(folder)) if is_whole(path)), None)


def is_whole(checkpoint: Path) -> bool:
    """Whether nothing of a checkpoint is missing or cut short; a disk that failed may have left it so."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())  # the trainer writes it last
        torn = [path.name for path in checkpoint.iterdir() if is_cut_short(path)]
    except (OSError, ValueError) as error:
        torn = [str(error)]
    if torn and PartialState().is_main_process:
        print(f"{checkpoint} is not whole ({', '.join(torn)}): going on from the one before")
    return not torn


def is_cut_short(path: Path) -> bool:
    """Whether the end of a file of tensors is missing; raises ValueError where its beginning is no such file's."""
    if path.suffix in (".pt", ".pth", ".bin"):
        return not zipfile.is_zipfile(path)  # whose directory stands at its end
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
    """Mark a stage as finished, once all of its folder has reached the disk."""
    if PartialState().is_main_process:
        flush(folder)
    PartialState().wait_for_everyone()
    (folder / FINISHED).touch()


def start_over(output_dir: Path, stage: str | None = None) -> None:
    """Forget the finished stages and the checkpoints of an earlier run into `output_dir`, or those of one `stage`."""
    if PartialState().is_main_process:
        for path in output_dir.glob(f"{stage or '*'}/{FINISHED}"):
            path.unlink()
        for path in output_dir.glob(f"{stage or '*'}/checkpoints"):
            shutil.rmtree(path)
    PartialState().wait_for_everyone()
