"""Ends a stage early and keeps its model; marks checkpoints. Imported only during a run: it loads transformers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ryven_llm_nodes.run.store.decisions import mark
from ryven_llm_nodes.run.store.kept import note_end, read_record


class OwnCheckpoints(TrainerCallback):
    """Marks each checkpoint with the key of its stage, before it is moved to the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        if state.is_world_process_zero:
            mark(Path(args.output_dir) / f"checkpoint-{state.global_step}", read_record(self.folder)["digest"])


class EarlyEnd(TrainerCallback):
    """Ends training after the current step when asked to; the stage then saves the model as is.

    The early end is noted in the stage's folder first: a crash while the model is saved must not leave one that
    looks fully trained. ``at`` is the step and the planned number of steps, once it has happened.
    """

    def __init__(self, folder: Path, asked: threading.Event) -> None:
        self.folder, self.asked = folder, asked
        self.at: tuple[int, int] | None = None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any
    ) -> TrainerControl:
        if self.asked.is_set() and state.global_step < state.max_steps:
            self.at = state.global_step, state.max_steps
            if state.is_world_process_zero:
                note_end(self.folder, *self.at)
            control.should_training_stop = True
            control.should_save = args.save_strategy != "no"  # which extra_steps continue from
        return control
