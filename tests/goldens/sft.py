# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "torch>=2.8,<3",
#     "transformers>=5.0,<6",
#     "trl>=1.16,<1.17",
#     "datasets>=4.7,<6",
#     "accelerate>=1.10,<2",
# ]
# ///
"""sft: SFT.

Written by ryven-llm-nodes 0.1.0 from the flow 'sft' of flow.json
(sha256 a8b5d4bf14bafe7c026f2e38613c2394095cd8a04dfdc763f75d59bf07537bd6)
with Python 3.11.7, torch 2.13.0, transformers 5.24.0, trl 1.16.0, datasets 5.2.0, accelerate 1.15.0.

Run it with `python SCRIPT.py`, or on several GPUs with `accelerate launch SCRIPT.py`. Every stage
writes its model to a folder of its own under --output-dir, and the next stage starts from there.
"""

# %% Imports
import os
from pathlib import Path

# Read when the libraries below are imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # no usage pings
if "OMP_WAIT_POLICY" not in os.environ:  # idle threads soon release the processor
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=os.environ.get("GOMP_SPINCOUNT", "2500"))

from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

# Relative paths of data and models are resolved here.
ROOT = Path(__file__).resolve().parent


# %% SFT 'sft'
def sft_config(output_dir: Path, **changes) -> SFTConfig:
    settings = dict(
        learning_rate=0.001,
        per_device_train_batch_size=4,
        num_train_epochs=3.0,
        weight_decay=0.01,
        warmup_steps=0,
        logging_steps=1,
        gradient_checkpointing=False,
        max_steps=2,
        save_strategy="no",
    )
    return SFTConfig(output_dir=str(output_dir), **DEVICE | settings | changes)


# %% The pipeline
def main(pipeline: "Pipeline") -> None:
    """Run every stage, each from the model folder of the previous one."""
    base = str(ROOT / "model")
    rows = load_dataset("json", data_files=str(ROOT / "sft.jsonl"), split="train")
    sft = pipeline.train("sft", SFTTrainer, sft_config, model=base, train_dataset=rows)
    pipeline.copy("final", sft, "final-model")


# %% Support: what the rest of this script needs
import argparse
import ast
import dataclasses
import gc
import json
import re
import shutil
import typing
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.utils import RepeatSampler

# %% Support: Atomic checkpoints, and resuming from the newest one
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


# %% Support: Shared by all stages: precision of the machine, freeing memory, and saving a policy
# bfloat16 on GPUs that support it, float32 on a CPU.
GPU = torch.cuda.is_available()


DEVICE = {
    "use_cpu": not torch.accelerator.is_available(),
    "bf16": GPU and torch.cuda.is_bf16_supported(),
    "dataloader_pin_memory": GPU,
}


def release_memory() -> None:
    """Free the memory of the previous stage: a trainer is part of a reference cycle, so it outlives its function."""
    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()


def refuse_untrained(trainer: Trainer) -> None:
    """Raise ValueError if no optimizer step was made: the saved model would be the initial one."""
    if trainer.state.global_step:
        return
    args, rows = trainer.args, len(trainer.train_dataset)
    if hasattr(args, "generation_batch_size"):
        wanted = args.generation_batch_size // args.num_generations
    else:
        wanted = args.train_batch_size * args.world_size if args.dataloader_drop_last else 1
    why = f"the {rows} remaining rows do not fill one batch of {wanted}" if rows < wanted else "there was no batch"
    raise ValueError(
        f"no optimizer step was made, so nothing was learned: {why}. Use more rows, or lower "
        "per_device_train_batch_size or gradient_accumulation_steps."
    )


def save_policy(trainer: Trainer, folder: Path) -> None:
    """Write the trained policy and its tokenizer."""
    refuse_untrained(trainer)
    trainer.save_model(str(folder))


def copy_model(
    model: str, folder: Path, dtype: str = "auto", revision: str | None = None, trust_remote_code: bool = False
) -> Path:
    """Write the model at a Hub id or folder, and its tokenizer, to another folder, in precision ``dtype``."""
    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    with PartialState().local_main_process_first():
        if PartialState().is_main_process:
            AutoModelForCausalLM.from_pretrained(model, dtype=dtype, **where).save_pretrained(folder)
            AutoTokenizer.from_pretrained(model, **where).save_pretrained(folder)
    return folder


# %% Support: Runs the stages of a pipeline, each in a folder of its own, and resumes an earlier run
def train_once(train: Callable[..., Trainer], configure: Callable[[], TrainingArguments], checkpoints: Path) -> Trainer:
    """Train as configured."""
    return train(configure())


class Pipeline:
    """Stages write to `output_dir / stage`. `settings` overrides fields of stages, `only` names a single one to run."""

    def __init__(
        self,
        output_dir: Path,
        only: str | None = None,
        settings: Mapping[str, dict] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.output_dir, self.only, self.settings, self.say = output_dir, only, settings or {}, say

    def train(
        self,
        stage: str,
        trainer_class: type[Trainer],
        configure: Callable[..., TrainingArguments],
        fit: Callable[..., Trainer] = train_once,
        save: Callable[[Trainer, Path], None] = save_policy,
        **inputs: object,
    ) -> str:
        """Train a stage, unless it is finished; return the folder of its model.

        `inputs` go to the trainer; a `partial` among them is called when the stage starts. Sampling differs across
        processes; the order of rows is the same for all.
        """
        folder = self.output_dir / stage
        if is_finished(folder) or self.only not in (None, stage):
            return str(folder)
        self.require_finished(stage, inputs)
        release_memory()
        checkpoints = folder / "checkpoints"

        def train(args: TrainingArguments, *callbacks: object) -> Trainer:
            made = {name: value() if isinstance(value, partial) else value for name, value in inputs.items()}
            trainer = trainer_class(args=args, callbacks=[AtomicCheckpoints(checkpoints), *callbacks], **made)
            set_seed(args.seed, device_specific=hasattr(args, "num_generations"))
            trainer.train(resume_from_checkpoint=newest_checkpoint(checkpoints))
            return trainer

        changed = partial(configure, checkpoints / "unfinished", **self.settings.get(stage, {}))
        save(fit(train, changed, checkpoints), folder)
        finish_stage(folder)
        return self.made(stage, folder)

    def copy(self, name: str, model: str, folder: str, **options: object) -> str:
        """Write a model and its tokenizer to a folder of its own; a relative one lies in `output_dir`."""
        place = self.output_dir / Path(folder).expanduser()
        if self.only in (None, name):
            self.made(name, copy_model(model, place, **options))
        return str(place)

    def made(self, name: str, folder: Path) -> str:
        """Report the result, from the main process."""
        if PartialState().is_main_process:
            self.say(f"{name}: {folder}")
        return str(folder)

    def require_finished(self, stage: str, inputs: Mapping[str, object]) -> None:
        """Exit if a single stage is to run and its inputs do not exist."""
        before = {Path(value) for value in inputs.values() if isinstance(value, str)}
        for folder in before:
            if self.only and folder.parent == self.output_dir and not is_finished(folder):
                raise SystemExit(f"stage {stage} needs {folder.name}, which is not finished: run --stage {folder.name}")

    @classmethod
    def from_command_line(cls, about: str, output_dir: str, **stages: Callable | None) -> "Pipeline":
        """Parse the command line, with overrides such as `--sft.learning_rate 1e-5` of what `stages` return."""
        parser = argparse.ArgumentParser(
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog="Override any field of a stage: --STAGE.FIELD VALUE, such as --sft.learning_rate 1e-5.",
        )
        parser.add_argument("--output-dir", type=Path, default=Path(output_dir), help="output folder (%(default)s)")
        parser.add_argument("--resume", action="store_true", help="resume an earlier run")
        parser.add_argument("--stage", choices=stages, help="run only this stage, from the previous models")
        options, rest = parser.parse_known_args()
        settings = read_settings(parser, rest, stages)
        if not options.resume:
            start_over(options.output_dir, options.stage)
        return cls(options.output_dir, options.stage, settings)


def read_settings(parser: argparse.ArgumentParser, words: list[str], stages: Mapping[str, Callable]) -> dict[str, dict]:
    """Parse `--STAGE.FIELD VALUE` or `--STAGE.FIELD=VALUE`, literals or text; exit for unknown fields."""
    settings: dict[str, dict] = {stage: {} for stage in stages}
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for name, text in zip(words[::2], words[1::2] + [""] * (len(words) % 2), strict=True):
        stage, _, field = name.removeprefix("--").partition(".")
        configuration = typing.get_type_hints(stages[stage])["return"] if stages.get(stage) else None
        if configuration is None or field not in {known.name for known in dataclasses.fields(configuration)}:
            parser.error(f"{name}: no such setting")
        try:
            value = ast.literal_eval({"true": "True", "false": "False", "null": "None"}.get(text, text))
        except (ValueError, SyntaxError):
            value = text
        settings[stage][field] = value
    for stage, changed in settings.items():
        if changed:  # an invalid value is reported before anything trains
            stages[stage](Path(), **changed)
    return settings


if __name__ == "__main__":
    main(Pipeline.from_command_line(__doc__, "outputs/sft", sft=sft_config))
    PartialState().destroy_process_group()


# %% The flow that this script was written from, for `ryven-llm edit` (JSON, zlib, base64)
# eNqtVFFv0zAQ/ivRPUdR025Ii8RDYQIhwQMM8VKh6BZfUm+ObWw3a6n63zm73VZEK1pteYl9vvv8fZ/tW0NHmhyqTOrWQLWGsLIEFXxbDaQz68wdNSFr
# pSLIwaXgQM5LozlpUlwWI9jwAv1aSEcis9jcY0ceqtkaNPYRKlXVSvW1NoKXchDSHYhvfubw8dM1VKMcUAijGWXN4K0yD3EIvg3xh6ozToZ5n/Vcx0AC
# AzLqFiVunFDGOTwzHUpOkIJ0kK2kA7sXnw2KLzxSnOgDBsoSbAXd9ObH9Ot09727Uu8v3kJiKAODs3XbxCe9t+ijWRYd9om3xTDneJ/QN6xIarsIkSor
# NovwPLHGZ0s2oBhtx6s03uQ7SZPzJV0zN0/hxaJcPIMDovhMijtv9GnCJqNj0i7Ok3bz4fuLJcXrtK+ox2XtA1mf7o4lVwsaZEN1cCh1fYuhmdde/qbE
# tnMoJDOsmzk199ZIJqs7qFpUnnJQhE5zoHZMMUkdlTk8oOsX9nEXdkKZrotZuwineByIp7GsY4/4Vp/k7Jujzl6e6Szv/zrvoJUc3Hf4FB1X/+jgtcZo
# zW1IppYwi3fPsYIsEua+JWiZvNzCZda4sBfd1XJv0qlbjPdDic3fFdG3A/jlK+GXR/DHp+JP/sf/ydjdecwe22oZ/Y/P1metMz2fUAERzLLRwS1o8wdJ
# qgFv
