"""The memory of a sweep: a study of Optuna in a file, which a killed sweep continues.

Each trial has a sampler of its own, seeded by the sweep's seed and the number of the trial. So it draws the same
values whether the sweep was interrupted before it or not.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.sweeping.space import Choices, Space, Values

FILE: Final = "study.journal"
LEAST_TRIALS: Final = 4
"""Trials before any is ended as hopeless, and before it is said which parameter matters."""
STARTUP: Final = 5
"""Trials at random before TPE (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011) takes over."""


@dataclass(frozen=True)
class Trial:
    """One trial: ``state`` is done, failed, pruned (ended since it was hopeless) or unfinished; ``value`` is the
    metric, ``error`` why there is none."""

    number: int
    values: Values
    state: str
    value: float | None = None
    error: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        names = ("number", "state", "value", "error", "seconds")
        return {"values": dict(self.values), **{name: getattr(self, name) for name in names}}


class Study:
    """The trials of a sweep over ``space``, in ``folder``, which no other process may use meanwhile."""

    def __init__(self, folder: Path, space: Space, maximize: bool, seed: int) -> None:
        optuna = _optuna()
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        self.space, self.seed, self.maximize = space, seed, maximize
        self._storage = JournalStorage(JournalFileBackend(str(repaired(folder / FILE))))
        direction = "maximize" if maximize else "minimize"
        self._study = optuna.create_study(
            storage=self._storage,
            study_name="sweep",
            direction=direction,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=LEAST_TRIALS),
        )

    def trials(self) -> list[Trial]:
        """All trials, in their order; one that a killed sweep has left without values is not counted."""
        return list(self._trials())

    def _trials(self) -> Iterator[Trial]:
        states = {"COMPLETE": "done", "FAIL": "failed", "PRUNED": "pruned"}
        about = self._study.user_attrs
        for frozen in self._study.get_trials(deepcopy=False):
            if set(frozen.params) == set(self.space.axes):
                state = states.get(frozen.state.name, "unfinished")
                value = frozen.values[0] if state == "done" and frozen.values else None
                yield Trial(
                    frozen.number, self._values(frozen.params), state, value, **about.get(str(frozen.number), {})
                )

    def unfinished(self) -> Trial | None:
        """The trial that a killed or stopped sweep has left."""
        for frozen in self._study.get_trials(deepcopy=False):
            if not frozen.state.is_finished() and set(frozen.params) != set(self.space.axes):
                self._study.tell(frozen.number, state=_optuna().trial.TrialState.FAIL)  # nothing was begun
        return next((trial for trial in self._trials() if trial.state == "unfinished"), None)

    def next(self) -> Trial:
        """A new trial, with the values that the sampler chooses."""
        number = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = self._sampler(number)
        trial = self._study.ask(self._distributions())
        return Trial(trial.number, self._values(trial.params), "unfinished")

    def done(self, trial: Trial, value: float, seconds: float) -> None:
        """Notes the outcome of a trial."""
        self._note(trial, seconds=seconds)
        self._study.tell(trial.number, value)

    def failed(self, trial: Trial, error: str, seconds: float) -> None:
        """Notes why a trial has failed."""
        self._note(trial, seconds=seconds, error=error)
        self._study.tell(trial.number, state=_optuna().trial.TrialState.FAIL)

    def is_hopeless(self, trial: Trial, value: float, step: int) -> bool:
        """Whether the live metric of a trial, ``value`` at ``step``, is worse than the median of the others there.

        The best value so far counts. The first trials are never hopeless.
        """
        optuna = _optuna()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a trial that is continued reports a step again
            running = optuna.trial.Trial(self._study, self._study.get_trials(deepcopy=False)[trial.number]._trial_id)
            running.report(value, step)
            return running.should_prune()

    def pruned(self, trial: Trial, reason: str, seconds: float) -> None:
        """Notes that a trial was ended, and why."""
        self._note(trial, seconds=seconds, error=reason)
        self._study.tell(trial.number, state=_optuna().trial.TrialState.PRUNED)

    def importances(self) -> dict[str, float]:
        """How much each parameter matters to being among the best trials, as shares of 1, the largest first.

        PED-ANOVA (Watanabe et al., arXiv 2304.10255); none where there are too few trials to tell.
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        if sum(trial.state == "done" for trial in self._trials()) < LEAST_TRIALS:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a parameter has had one value only
            return dict(get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator()))

    def _note(self, trial: Trial, **about: Any) -> None:
        self._study.set_user_attr(str(trial.number), about)

    def best(self) -> Trial | None:
        """The best trial that was done; of equal ones the first."""
        done = [trial for trial in self._trials() if trial.state == "done" and trial.value is not None]
        if not done:
            return None
        return max(done, key=lambda trial: (trial.value or 0.0) * (1 if self.maximize else -1))

    # What is drawn

    def _sampler(self, number: int) -> Any:
        from optuna.samplers import PartialFixedSampler, RandomSampler, TPESampler

        digest = hashlib.sha256(f"{self.seed} {number}".encode()).hexdigest()
        if self.space.size is None:
            return TPESampler(seed=int(digest[:8], 16), n_startup_trials=STARTUP)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that this sampler is experimental
            return PartialFixedSampler(self._combination(len(self.trials())), RandomSampler())

    def _combination(self, index: int) -> dict[str, int]:
        """The places in the lists of the combination at ``index``, in an order that depends on the seed."""
        places = [range(len(axis.values)) for axis in self.space.axes.values() if isinstance(axis, Choices)]
        combinations = list(product(*places))
        random.Random(self.seed).shuffle(combinations)
        return dict(zip(self.space.axes, combinations[index % len(combinations)], strict=True))

    def _distributions(self) -> dict[str, Any]:
        """A list is drawn from by place."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        found: dict[str, Any] = {}
        for name, axis in self.space.axes.items():
            if isinstance(axis, Choices):
                found[name] = CategoricalDistribution(range(len(axis.values)))
            else:
                kind = IntDistribution if isinstance(axis.low, int) else FloatDistribution
                found[name] = kind(axis.low, axis.high, log=axis.is_log)
        return found

    def _values(self, drawn: Mapping[str, Any]) -> Values:
        axes = {name: axis for name, axis in self.space.axes.items() if name in drawn}
        return {
            name: axis.values[drawn[name]] if isinstance(axis, Choices) else axis.rounded(drawn[name])
            for name, axis in axes.items()
        }


def repaired(file: Path) -> Path:
    """``file`` without what a process that was killed while writing has left: half a line, or a lock."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for left in file.parent.glob(f"{file.name}.*"):
        with suppress(FileNotFoundError):
            left.unlink()
    if file.is_file():
        content = file.read_bytes()
        if len(content) != (end := content.rfind(b"\n") + 1):
            os.truncate(file, end)
    return file


def is_number(value: Any) -> bool:
    """Whether ``value`` can be compared: a number, and not NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def digest_of(*parts: Any) -> str:
    """A name for a study of these parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()[:12]


def _optuna() -> Any:
    """The package, silenced. Raises UsageError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise UsageError("sweeps need Optuna: pip install 'ryven-llm-nodes[sweep]'.") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
