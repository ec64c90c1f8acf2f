"""Stops a stage when asked to, and loses nothing it has learned. Imported only during a run: it loads transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ryven_llm_nodes.errors import Cancelled
from ryven_llm_nodes.run.execute.cancelling import CancelToken


class Stop(TrainerCallback):
    """Ends the training of a stage, by an exception, once ``token`` asks for it.

    The optimizer step that has begun is finished, and a checkpoint is written after it; in the middle of a rollout,
    which no checkpoint contains, training goes on to its end. Where nothing would be lost, it ends at once, in
    generation too: before the first step, right after a checkpoint, and where ``save_strategy`` writes none.

    As an event it tells the code that a step calls, such as rewards, whether to give up at once.
    """

    def __init__(self, token: CancelToken) -> None:
        self.token = token
        self.done = self.total = self._saved = 0
        self.saves = True
        """Whether the stage writes checkpoints."""
        self._state = TrainerState()
        self._is_for_the_best = False
        self._hook: Any = None

    def is_set(self) -> bool:
        """Whether the stage ends at once."""
        nothing_lost = not self.saves or self._state.global_step == self._saved or self._is_for_the_best
        return self.token.now_event.is_set() or (self.token.event.is_set() and nothing_lost)

    def raise_if_set(self, *_: Any) -> None:
        """Raises Cancelled if the stage ends at once."""
        if self.is_set():
            raise Cancelled

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self.saves = args.save_strategy != "no"
        self._state, self._saved = state, state.global_step
        self._note(state)
        self._hook = kw["model"].register_forward_pre_hook(self.raise_if_set)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self.raise_if_set()  # not at the end of the previous step: a checkpoint that is due is written first

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self._note(state)
        asked = self.token.event.is_set() and not self.token.now_event.is_set()
        control.should_save |= self.saves and asked and state.global_step < state.max_steps
        # here the metric alone decides, and training must not go on until the next improvement
        self._is_for_the_best = args.save_strategy == "best" and control.should_evaluate

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self._saved = state.global_step

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self._hook.remove()

    def _note(self, state: TrainerState) -> None:
        self.done, self.total = state.global_step, state.max_steps

    def sentence(self, step: str, checkpoint: int) -> str:
        """Where the stage ``step`` was stopped, and from where the next run resumes: its newest ``checkpoint``."""
        stopped = f"{step}: stopped at step {self.done} of {self.total}" if self.done else f"{step}: stopped"
        if checkpoint and checkpoint == self.done:
            return f"{stopped}, with a checkpoint; the next run resumes there"
        if checkpoint:
            return f"{stopped}; the next run resumes from its newest checkpoint, of step {checkpoint}"
        why = "" if self.saves else "save_strategy is 'no', so "
        return f"{stopped}; {why}the next run trains it from the beginning"


@contextmanager
def stopping_models(stop: Callable[[], object]) -> Iterator[None]:
    """Inside, the next forward pass of any model calls ``stop``: for a stage without a trainer to listen to."""
    hook = register_module_forward_pre_hook(lambda *_: stop() and None)
    try:
        yield
    finally:
        hook.remove()
