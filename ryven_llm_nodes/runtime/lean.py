"""Runs the stages of a pipeline, each in a folder of its own: the minimal code that gives the same weights."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import set_seed
from transformers import Trainer, TrainingArguments

from .adapters import on_original_weights, untie_embeddings
from .reports import write_report
from .stages import copy_model, release_memory
from .templates import write_with_template


def save_policy(trainer: Trainer, folder: Path) -> None:
    """Write the trained policy and its tokenizer."""
    trainer.save_model(str(folder))


def save_merged(trainer: Trainer, folder: Path, keep_adapter: bool = False) -> None:
    """Write the trained policy, its LoRA adapter merged into it, and its tokenizer."""
    policy = trainer.accelerator.unwrap_model(trainer.model)
    if trainer.accelerator.is_main_process:
        is_quantized = getattr(policy.get_base_model(), "is_quantized", False)
        if keep_adapter or is_quantized:
            policy.save_pretrained(folder / "adapter")
        if is_quantized:
            policy = on_original_weights(policy, folder / "adapter", trainer.args)
        untie_embeddings(policy.get_base_model())
        policy.merge_and_unload().save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)


class Pipeline:
    """Stages write to `output_dir / stage`."""

    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir

    def train(
        self,
        stage: str,
        trainer_class: type[Trainer],
        configure: Callable[..., TrainingArguments],
        save: Callable[[Trainer, Path], None] = save_policy,
        **inputs: object,
    ) -> str:
        """Train a stage; return the folder of its model.

        `inputs` go to the trainer; a `partial` among them is called when the stage starts. Sampling differs across
        processes; the order of rows is the same for all.
        """
        folder = self.output_dir / stage
        release_memory()
        args = configure(folder / "checkpoints")
        made = {name: value() if isinstance(value, partial) else value for name, value in inputs.items()}
        trainer = trainer_class(args=args, **made)
        set_seed(args.seed, device_specific=hasattr(args, "num_generations"))
        trainer.train()
        save(trainer, folder)
        PartialState().wait_for_everyone()
        return self.made(stage, folder)

    def copy(self, name: str, model: str, folder: str, **options: object) -> str:
        """Write a model and its tokenizer to a folder of its own; a relative one lies in `output_dir`."""
        place = self.output_dir / Path(folder).expanduser()
        return self.made(name, copy_model(model, place, **options))

    def made(self, name: str, folder: Path) -> str:
        """Report the result, from the main process."""
        if PartialState().is_main_process:
            print(f"{name}: {folder}")
        return str(folder)

    @classmethod
    def from_command_line(cls, about: str, output_dir: str, **stages: object) -> "Pipeline":
        """Parse the command line."""
        parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--output-dir", type=Path, default=Path(output_dir), help="output folder (%(default)s)")
        return cls(parser.parse_args().output_dir)


def make_report(pipeline: Pipeline, stage: str, make: Callable[..., object], **inputs: object) -> str:
    """Make a report; return the folder that holds it, as `report.json`."""
    folder = pipeline.output_dir / stage
    release_memory()
    write_report(folder, make(**inputs))
    return pipeline.made(stage, folder)


def set_chat_template(pipeline: Pipeline, stage: str, model: str, **options: object) -> str:
    """Write a model with another chat template to a folder of its own; return that folder."""
    folder = pipeline.output_dir / stage
    release_memory()
    write_with_template(model, folder, **options)
    return pipeline.made(stage, folder)
