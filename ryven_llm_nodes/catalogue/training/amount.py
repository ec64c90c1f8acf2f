"""How many optimizer steps a stage will make, computed before it trains, to find none or too few for its warmup."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.training.stage import EXTRA_STEPS
from ryven_llm_nodes.catalogue.work import Work
from ryven_llm_nodes.errors import Remedy, Weight

WITHOUT_WARMUP: Final = frozenset({"constant", "reduce_lr_on_plateau", "greedy"})
"""Learning-rate schedules that ignore warmup_steps."""


@dataclass(frozen=True)
class Amount:
    """The amount of training that a stage gets out of ``rows`` rows with its configuration ``config``."""

    context: NodeContext
    config: Any
    rows: int

    @property
    def _samples(self) -> bool:
        """Whether completions are sampled, in rollouts that several optimizer steps may use."""
        return hasattr(self.config, "steps_per_generation")

    @property
    def rows_at_once(self) -> int:
        """The smallest number of rows that gives any batch."""
        if self._samples:  # the remainder of an epoch is dropped
            return max(self.config.generation_batch_size // self.config.num_generations, 1)
        return self._batch if self.config.dataloader_drop_last else 1

    @property
    def _batch(self) -> int:
        return self.config.train_batch_size * self.config.world_size

    @property
    def total(self) -> int | None:
        """All optimizer steps (without extra_steps); None where the rows are packed, and their number is not known."""
        if self.config.max_steps > 0:
            return int(self.config.max_steps)
        if getattr(self.config, "packing", False):
            return None
        return math.ceil(self.config.num_train_epochs * self._epoch)

    @property
    def _epoch(self) -> int:
        """The optimizer steps of one epoch."""
        return max(math.ceil(self._batches / self.config.gradient_accumulation_steps), 1)

    @property
    def work(self) -> Work:
        """The same in the terms of all stages, with extra_steps."""
        if self.total is None:
            return Work(rollout=self._rollout_steps)
        total = self.total + self.context[EXTRA_STEPS]
        return Work(total, self._rollout_steps, self._evaluations(total))

    @property
    def _rollout_steps(self) -> int:
        """The optimizer steps that use one rollout."""
        if not self._samples:
            return 1
        batches = self.config.steps_per_generation * self.config.num_iterations
        return math.ceil(batches / self.config.gradient_accumulation_steps)

    def _evaluations(self, total: int) -> int:
        strategy, every = _word(self.config.eval_strategy), self.config.eval_steps
        if strategy == "steps":
            return int(total // (every if every >= 1 else max(math.ceil(every * total), 1)))
        return math.ceil(total / self._epoch) if strategy == "epoch" else 0

    @property
    def _batches(self) -> int:
        """The steps of one epoch."""
        if self._samples:
            return self.rows // self.rows_at_once * self.config.num_iterations * self.config.steps_per_generation
        return self.rows // self._batch if self.config.dataloader_drop_last else math.ceil(self.rows / self._batch)

    def findings(self) -> Iterator[Finding]:
        """All findings about the number of steps."""
        yield from self._problems()
        yield from self._end_problems()
        yield from self._warnings()

    def _problems(self) -> Iterator[Finding]:
        """Why no optimizer step would be made."""
        if self.rows == 0:
            yield Finding("dataset", "the dataset has no rows, so nothing would be learned; add some.")
        elif self.rows < self.rows_at_once and not getattr(self.config, "packing", False):
            parameter, why, remedy = self._rollout() if self._samples else self._whole_batches()
            numbers = f"{why}, but the dataset has {self.rows}: no optimizer step would be made."
            yield Finding(parameter, f"{numbers} Use more rows, or {remedy}.")

    def _end_problems(self) -> Iterator[Finding]:
        """Why extra_steps could not continue from the end (runtime/longer.py)."""
        total, config = self.total, self.config
        if not self._samples or not total or not self.context[EXTRA_STEPS]:
            return
        batches, used = total * config.gradient_accumulation_steps, config.steps_per_generation * config.num_iterations
        if batches % used:
            numbers = (
                f"{total} steps x {config.gradient_accumulation_steps} gradient_accumulation_steps = {batches} batches"
            )
            rollout = (
                f"{config.steps_per_generation} steps_per_generation x {config.num_iterations} num_iterations = {used}"
            )
            message = f"cannot continue mid-rollout: {numbers}, and a rollout is used for {rollout}."
            yield Finding(EXTRA_STEPS, f"{message} Set max_steps so that the first is a multiple of the second.")

    def _rollout(self) -> tuple[str, str, str]:
        config = self.config
        numbers = (
            f"batch size {config.per_device_train_batch_size} x steps_per_generation {config.steps_per_generation}"
        )
        numbers += f" x {config.world_size} processes" if config.world_size > 1 else ""
        numbers += f" / num_generations {config.num_generations}" if config.num_generations > 1 else ""
        name = "per_device_train_batch_size"
        lower = f"lower {name} or gradient_accumulation_steps"
        for other in ("global_batch_size", "generation_batch_size"):
            if self.context.given.get(other):
                name, lower = other, f"lower {other}"
        return name, f"a rollout takes {self.rows_at_once} prompts ({numbers})", lower

    def _whole_batches(self) -> tuple[str, str, str]:
        name = "dataloader_drop_last"
        return (
            name,
            f"only full batches of {self._batch} rows are used",
            f"lower per_device_train_batch_size or clear {name}",
        )

    def _warnings(self) -> Iterator[Finding]:
        """What is probably unintended: a learning rate that never reaches its configured value."""
        yield from self._never_reached()
        config, total = self.config, self.total
        schedule = _word(config.lr_scheduler_type)
        if not total or schedule in WITHOUT_WARMUP:
            return
        warmup = config.get_warmup_steps(total)
        if warmup > total - 1:
            share = f"{(total - 1) / warmup:.0%}".replace("%", " %")
            text = (
                f"{warmup} warmup step{'s' * (warmup > 1)}, but only {total} step{'s' * (total > 1)} in total: the "
                f"learning rate reaches {share} of {config.learning_rate:g}. {_remedy(total)}"
            )
            yield Finding("warmup_steps", text, "warning", remedy=Remedy("warmup_steps", 0.1 if total > 1 else 0))

    def _never_reached(self) -> Iterator[Finding]:
        """Intervals that were set, and that are longer than the training."""
        given, config, total = self.context.given, self.config, self.total
        for name, (switch, effect, weight) in INTERVALS.items():
            interval = given.get(name)
            is_used = _word(getattr(config, switch)) == "steps"
            if total and is_used and interval and interval > total:
                text = f"is {interval:g}, but there are only {total} steps in total, so it is never reached: {effect}. "
                value = max(total // 2, 1)
                yield Finding(name, f"{text}Set {value}, or train longer.", weight, remedy=Remedy(name, value))


INTERVALS: Final[Mapping[str, tuple[str, str, Weight]]] = {
    "eval_steps": ("eval_strategy", "nothing is evaluated before the end", "warning"),
    "save_steps": ("save_strategy", "no checkpoint is written before the end", "note"),
    "logging_steps": ("logging_strategy", "no metrics are logged before the end", "note"),
}
"""Intervals in steps, the field that says whether they are used, and what does not happen without them."""


def _word(value: Any) -> str:
    """A value of an enumeration, or a text, as text."""
    return str(getattr(value, "value", value))


def _remedy(total: int) -> str:
    """A tenth of the steps, if there are enough."""
    return "Set 0.1 (a fraction), or train longer." if total > 1 else "Set 0, or train longer."
