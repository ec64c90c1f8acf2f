"""Runs the stages of a pipeline, each in a folder of its own, and resumes an earlier run."""

import argparse
import ast
import dataclasses
import typing
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import set_seed
from transformers import Trainer, TrainingArguments

from .checkpoints import AtomicCheckpoints, finish_stage, is_finished, newest_checkpoint, start_over
from .stages import copy_model, release_memory, save_policy


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
