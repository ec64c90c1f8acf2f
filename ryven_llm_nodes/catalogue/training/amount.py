"""How many optimizer steps a stage will make, told before it trains: none, or too few for its warmup."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.training.stage import EXTRA_STEPS

WITHOUT_WARMUP: Final = frozenset({"constant", "reduce_lr_on_plateau", "greedy"})
"""Learning-rate schedules that take no notice of warmup_steps."""


@dataclass(frozen=True)
class Amount:
    """What a stage makes of ``rows`` rows with ``config``, the configuration that it trains with."""

    context: NodeContext
    config: Any
    rows: int

    @property
    def _samples(self) -> bool:
        """Whether completions are sampled, in rollouts that several optimizer steps may use."""
        return hasattr(self.config, "steps_per_generation")

    @property
    def rows_at_once(self) -> int:
        """The fewest rows of which something is made at all."""
        if self._samples:  # what is left over of an epoch is dropped
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
        epoch = max(math.ceil(self._batches / self.config.gradient_accumulation_steps), 1)
        return math.ceil(self.config.num_train_epochs * epoch)

    @property
    def _batches(self) -> int:
        """Those of one epoch."""
        if self._samples:
            return self.rows // self.rows_at_once * self.config.num_iterations * self.config.steps_per_generation
        return self.rows // self._batch if self.config.dataloader_drop_last else math.ceil(self.rows / self._batch)

    def findings(self) -> Iterator[Finding]:
        """What its numbers tell."""
        yield from self._problems()
        yield from self._end_problems()
        yield from self._warnings()

    def _problems(self) -> Iterator[Finding]:
        """Why not one optimizer step would be made."""
        if self.rows == 0:
            yield Finding("dataset", "the data set has no rows, so nothing would be learned; give some.")
        elif self.rows < self.rows_at_once and not getattr(self.config, "packing", False):
            parameter, why, remedy = self._rollout() if self._samples else self._whole_batches()
            numbers = f"{why}, but the data set has {self.rows}: not one optimizer step would be made."
            yield Finding(parameter, f"{numbers} Give more rows, or {remedy}.")

    def _end_problems(self) -> Iterator[Finding]:
        """Why extra_steps could not go on from the end (runtime/longer.py)."""
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
            message = f"cannot go on amid a rollout: {numbers}, and a rollout is used for {rollout}."
            yield Finding(EXTRA_STEPS, f"{message} Set max_steps so that the one is a multiple of the other.")

    def _rollout(self) -> tuple[str, str, str]:
        config = self.config
        numbers = (
            f"batch size {config.per_device_train_batch_size} x steps_per_generation {config.steps_per_generation}"
        )
        numbers += f" x {config.world_size} processes" if config.world_size > 1 else ""
        numbers += f" / num_generations {config.num_generations}" if config.num_generations > 1 else ""
        name = "per_device_train_batch_size"
        lower = f"lower {name} or gradient_accumulation_steps"
        if self.context.given.get("generation_batch_size"):
            name, lower = "generation_batch_size", "lower generation_batch_size"
        return name, f"a rollout takes {self.rows_at_once} prompts ({numbers})", lower

    def _whole_batches(self) -> tuple[str, str, str]:
        name = "dataloader_drop_last"
        return (
            name,
            f"only whole batches of {self._batch} rows are used",
            f"lower per_device_train_batch_size or clear {name}",
        )

    def _warnings(self) -> Iterator[Finding]:
        """What is probably not meant: a learning rate that never gets to where it was set."""
        config, total = self.config, self.total
        schedule = str(getattr(config.lr_scheduler_type, "value", config.lr_scheduler_type))
        if not total or schedule in WITHOUT_WARMUP:
            return
        warmup = config.get_warmup_steps(total)
        if warmup > total - 1:
            share = f"{(total - 1) / warmup:.0%}".replace("%", " %")
            text = (
                f"{warmup} step{'s' * (warmup > 1)} of warmup, but only {total} step{'s' * (total > 1)} in all: the "
                f"learning rate reaches {share} of {config.learning_rate:g}. {_remedy(total)}"
            )
            yield Finding("warmup_steps", text, "warning")


def _remedy(total: int) -> str:
    """A tenth of the steps, of which there have to be some."""
    return "Set 0.1 (a share), or train longer." if total > 1 else "Set 0, or train longer."
