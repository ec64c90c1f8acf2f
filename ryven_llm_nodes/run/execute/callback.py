"""Listens to transformers' Trainer. Imported only during a run, since it loads transformers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import transformers.trainer as hf
from accelerate import Accelerator
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ryven_llm_nodes.errors import Explained
from ryven_llm_nodes.run.events import Listener, Metrics, Progress, Tracked
from ryven_llm_nodes.run.execute.tracking import tracked
from ryven_llm_nodes.run.store.kept import newest_step
from ryven_llm_nodes.system.files import write_whole


class Watch(TrainerCallback):
    """Reports steps and metrics of one stage, and writes ``metrics.jsonl``."""

    def __init__(self, step: str, folder: Path, listen: Listener) -> None:
        self.step, self.listen = step, listen
        self.metrics_file = folder / "metrics.jsonl"
        self.gradients = FiniteGradients(folder)
        self._has_logged = False

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        if state.is_world_process_zero:
            self._keep_metrics_until(state.global_step)
        self._progress(state)

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
        if not self._has_logged and state.is_world_process_zero:
            self._has_logged = True
            for service, place in tracked(args):
                self.listen(Tracked(self.step, service, place))

    def _keep_metrics_until(self, step: int) -> None:
        """Drops what was logged after ``step``: everything for a new stage, the rest for a resumed one."""
        self.metrics_file.parent.mkdir(parents=True, exist_ok=True)
        text = self.metrics_file.read_text(encoding="utf-8") if self.metrics_file.is_file() else ""
        kept = "".join(f"{line}\n" for line in text.splitlines() if 0 < _step_of(line) <= step)
        if kept != text:
            write_whole(self.metrics_file, kept)  # if the disk is full, the old file stays

    def _progress(self, state: TrainerState) -> None:
        self.listen(Progress(self.step, state.global_step, state.max_steps))


class FiniteGradients(TrainerCallback):
    """Stops the stage before a non-finite gradient gets into the weights, and those into a checkpoint.

    The Trainer has Accelerator.clip_grad_norm_ compute the norm of all gradients in each step; this checks that
    number. The loss that it logs hides the case (logging_nan_inf_filter). Under fp16 infinite gradients are normal, and
    accelerate skips those steps. The weights themselves are checked when training begins, and before they are
    saved, since the optimizer itself may overflow.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._norm: Any = None

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Inside, the norm of each step is checked."""
        original = Accelerator.clip_grad_norm_

        @wraps(original)
        def clip_grad_norm_(*args: Any, **kwargs: Any) -> Any:
            self._norm = original(*args, **kwargs)
            return self._norm

        Accelerator.clip_grad_norm_ = clip_grad_norm_  # type: ignore[method-assign]
        try:
            yield
        finally:
            Accelerator.clip_grad_norm_ = original  # type: ignore[method-assign]

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        if name := _spoilt(kw["model"]):
            raise Explained(f"{name} of the initial model contains values that are not finite. Use another model.")

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any
    ) -> None:
        norm, self._norm = self._norm, None
        if norm is None or args.fp16 or math.isfinite(norm):
            return
        kind = "infinite" if math.isinf(norm) else "not a number (NaN)"
        what = (
            f"the gradient is {kind} at step {state.global_step + 1}, so training stops before it corrupts the weights."
        )
        raise Explained(f"{what} {self._kept()} {_remedy(args)}")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        if control.should_save:
            self._refuse_spoilt(args, state, kw["model"])

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self._refuse_spoilt(args, state, kw["model"])

    def _refuse_spoilt(self, args: TrainingArguments, state: TrainerState, model: Any) -> None:
        if name := _spoilt(model):
            what = f"{name} contains values that are not finite after step {state.global_step}, so it is not saved."
            raise Explained(f"{what} {self._kept()} {_remedy(args)}")

    def _kept(self) -> str:
        step = newest_step(self.folder)
        if not step:
            return "There is no checkpoint yet."
        return f"The last good checkpoint is of step {step}, in {self.folder / 'checkpoints' / f'checkpoint-{step}'}."


def _remedy(args: TrainingArguments) -> str:
    """The settings that can make steps too large."""
    decay = f", or weight_decay ({args.weight_decay:g})" if args.weight_decay > 1 else ""
    clip = "" if args.max_grad_norm else ", or set max_grad_norm to 1"
    return f"Lower learning_rate ({args.learning_rate:g}){decay}{clip}."


def _spoilt(model: Any) -> str | None:
    """The name of a weight that is not finite. A sum is a quick test that clears most weights."""
    weights = ((name, weight.detach()) for name, weight in model.named_parameters())
    return next((name for name, w in weights if not w.sum().isfinite() and not w.isfinite().all()), None)


class Quiet(TrainerCallback):
    """Takes the place of the Trainer's own progress bar."""


def _step_of(line: str) -> int:
    """The step of a line of metrics; 0 for one that a crash has truncated."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@contextmanager
def watching(watch: Watch, stop: TrainerCallback, *others: TrainerCallback) -> Iterator[None]:
    """Every Trainer created inside reports to ``watch`` and ``others``, and shows no progress bar of its own.

    ``stop`` may ask for a checkpoint: whether the weights are fit to be saved is judged after it.

    The text of a program does not reference this package, so the callback is injected where the Trainer takes its
    defaults from (DEFAULT_CALLBACKS, DEFAULT_PROGRESS_CALLBACK and PrinterCallback of transformers 5's trainer.py).
    """
    before = hf.DEFAULT_CALLBACKS, hf.DEFAULT_PROGRESS_CALLBACK, hf.PrinterCallback
    callbacks = [*before[0], watch, stop, watch.gradients, *others]
    hf.DEFAULT_CALLBACKS, hf.DEFAULT_PROGRESS_CALLBACK, hf.PrinterCallback = callbacks, Quiet, Quiet
    try:
        with watch.gradients.looking():
            yield
    finally:
        hf.DEFAULT_CALLBACKS, hf.DEFAULT_PROGRESS_CALLBACK, hf.PrinterCallback = before
