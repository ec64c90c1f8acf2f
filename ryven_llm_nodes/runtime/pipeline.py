"""Runs the stages of a pipeline, each in a folder of its own, and goes on where an earlier run stopped."""

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

from .checkpoints import WholeCheckpoints, finish_stage, is_finished, newest_checkpoint, start_over
from .stages import copy_model, release_memory, save_policy


def train_once(train: Callable[..., Trainer], configure: Callable[[], TrainingArguments], checkpoints: Path) -> Trainer:
    """Train as configured."""
    return train(configure())


class Pipeline:
    """Stages write to `output_dir / stage`. `settings` replaces fields of stages, `only` names the one to run."""

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

        `inputs` go to the trainer; a `partial` among them is called when the stage begins. Processes that sample
        completions draw each for itself; the order of rows is one for all.
        """
        folder = self.output_dir / stage
        if is_finished(folder) or self.only not in (None, stage):
            return str(folder)
        self.require_finished(stage, inputs)
        release_memory()
        checkpoints = folder / "checkpoints"

        def train(args: TrainingArguments, *callbacks: object) -> Trainer:
            made = {name: value() if isinstance(value, partial) else value for name, value in inputs.items()}
            trainer = trainer_class(args=args, callbacks=[WholeCheckpoints(checkpoints), *callbacks], **made)
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
        """Tell what was made, from one process."""
        if PartialState().is_main_process:
            self.say(f"{name}: {folder}")
        return str(folder)

    def require_finished(self, stage: str, inputs: Mapping[str, object]) -> None:
        """Exit where a stage is to run alone and what it reads is not there."""
        before = {Path(value) for value in inputs.values() if isinstance(value, str)}
        for folder in before:
            if self.only and folder.parent == self.output_dir and not is_finished(folder):
                raise SystemExit(f"stage {stage} needs {folder.name}, which is not finished: run --stage {folder.name}")

    @classmethod
    def from_command_line(cls, about: str, output_dir: str, **stages: Callable[..., TrainingArguments]) -> "Pipeline":
        """Read where to write, what to run, and fields of stages (`--sft.learning_rate 1e-5`); `stages` configure."""
        parser = argparse.ArgumentParser(
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog="Any field of a stage can be set: --STAGE.FIELD VALUE, such as --sft.learning_rate 1e-5.",
        )
        parser.add_argument("--output-dir", type=Path, default=Path(output_dir), help="where models go (%(default)s)")
        parser.add_argument("--resume", action="store_true", help="go on where an earlier run stopped")
        parser.add_argument("--stage", choices=stages, help="run this stage alone, from what those before it left")
        options, rest = parser.parse_known_args()
        settings = read_settings(parser, rest, stages)
        if not options.resume:
            start_over(options.output_dir, options.stage)
        return cls(options.output_dir, options.stage, settings)


def read_settings(parser: argparse.ArgumentParser, words: list[str], stages: Mapping[str, Callable]) -> dict[str, dict]:
    """Read `--STAGE.FIELD VALUE` or `--STAGE.FIELD=VALUE`, literals or text; exit where there is no such field."""
    settings: dict[str, dict] = {stage: {} for stage in stages}
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for name, text in zip(words[::2], words[1::2] + [""] * (len(words) % 2), strict=True):
        stage, _, field = name.removeprefix("--").partition(".")
        configuration = typing.get_type_hints(stages[stage])["return"] if stage in stages else None
        if configuration is None or field not in {known.name for known in dataclasses.fields(configuration)}:
            parser.error(f"{name}: there is no such setting")
        try:
            value = ast.literal_eval({"true": "True", "false": "False", "null": "None"}.get(text, text))
        except (ValueError, SyntaxError):
            value = text
        settings[stage][field] = value
    for stage, changed in settings.items():
        if changed:  # a value that the configuration refuses is found before anything trains
            stages[stage](Path(), **changed)
    return settings
