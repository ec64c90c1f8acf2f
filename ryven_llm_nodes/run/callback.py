"""Listens to transformers' Trainer. Imported only when a run has begun, since it loads transformers."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transformers.trainer as hf
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ryven_llm_nodes.errors import Cancelled
from ryven_llm_nodes.run.events import Listener, Metrics, Progress


class Watch(TrainerCallback):
    """Reports steps and metrics of one stage, writes ``metrics.jsonl``, and ends the stage when asked to.

    A stage ends by an exception: at the next step, or inside generation at the next forward pass, so that nothing
    half-trained is saved as if it were finished.
    """

    def __init__(self, step: str, folder: Path, listen: Listener, cancelled: threading.Event) -> None:
        self.step, self.listen, self.cancelled = step, listen, cancelled
        self.metrics_file = folder / "metrics.jsonl"
        self._hook: Any = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        if state.is_world_process_zero:
            self._keep_metrics_until(state.global_step)
        self._hook = kw["model"].register_forward_pre_hook(lambda *_: self._stop_if_cancelled())
        self._progress(state)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self._hook.remove()

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self._stop_if_cancelled()  # not at the end of the step before: a checkpoint that was due is written first

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self._progress(state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kw: Any,
    ) -> None:
        values = {name: _finite(value) for name, value in (logs or {}).items() if isinstance(value, int | float)}
        if state.is_world_process_zero:
            line = json.dumps({"step": state.global_step, **values})
            with self.metrics_file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        self.listen(Metrics(self.step, state.global_step, values))

    def _keep_metrics_until(self, step: int) -> None:
        """Drops what was logged after ``step``: all of it for a new stage, the rest for one that goes on."""
        lines = self.metrics_file.read_text(encoding="utf-8").splitlines() if self.metrics_file.is_file() else []
        kept = [line for line in lines if 0 < _step_of(line) <= step]
        self.metrics_file.parent.mkdir(parents=True, exist_ok=True)
        self.metrics_file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def _progress(self, state: TrainerState) -> None:
        self.listen(Progress(self.step, state.global_step, state.max_steps))

    def _stop_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled


class Quiet(TrainerCallback):
    """Stands where the Trainer would put its own progress bar."""


def _step_of(line: str) -> int:
    """The step of a line of metrics; 0 for one that a crash has torn."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Every Trainer that is made inside reports to ``watch``, and shows no progress bar of its own.

    The text of a program knows nothing of us, so the callback comes in where the Trainer takes its defaults
    from (DEFAULT_CALLBACKS, DEFAULT_PROGRESS_CALLBACK and PrinterCallback of transformers.trainer, transformers 5).
    """
    before = hf.DEFAULT_CALLBACKS, hf.DEFAULT_PROGRESS_CALLBACK, hf.PrinterCallback
    hf.DEFAULT_CALLBACKS, hf.DEFAULT_PROGRESS_CALLBACK, hf.PrinterCallback = [*before[0], watch], Quiet, Quiet
    try:
        yield
    finally:
        hf.DEFAULT_CALLBACKS, hf.DEFAULT_PROGRESS_CALLBACK, hf.PrinterCallback = before
