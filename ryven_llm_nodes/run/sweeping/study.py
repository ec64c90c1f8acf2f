"""The memory of a sweep: a study of Optuna in a file or a database, which a killed sweep continues.

Each trial has a sampler of its own, seeded by the sweep's seed and the place of the trial. So it draws the same values
whether the sweep was interrupted before it or not. In a database, several machines run trials of one study: each
trial belongs to the one that has begun it, so none is run twice. What TPE draws then depends on which are done.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.program.sweeping.space import Axis, Choices, Space, Values
from ryven_llm_nodes.run.sweeping.storage import FILE, Database, in_file, member_of, optuna_package

OWNER: Final = "owner"
"""The attribute of a trial that says who runs it."""
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
    """The trials of a sweep over ``space``, in ``database`` or else in ``folder``.

    No other process may use the folder meanwhile; with a database it says who this is.
    """

    def __init__(self, folder: Path, space: Space, maximize: bool, seed: int, database: Database | None = None) -> None:
        optuna = optuna_package()
        self.space, self.seed, self.maximize = space, seed, maximize
        self.is_shared = database is not None
        self._owner = member_of(folder) if database else ""
        self._study = optuna.create_study(
            storage=database.opened() if database else in_file(folder / FILE),
            study_name=f"{space.graph.title[:100]} {folder.name}" if database else "sweep",
            direction="maximize" if maximize else "minimize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=LEAST_TRIALS),
        )

    def trials(self) -> list[Trial]:
        """All trials, in their order; one that a killed sweep has left without values is not counted."""
        return list(self._trials())

    def _trials(self) -> Iterator[Trial]:
        states = {"COMPLETE": "done", "FAIL": "failed", "PRUNED": "pruned"}
        about = self._study.user_attrs
        for frozen in self._frozen():
            if self._has_values(frozen):
                state = states.get(frozen.state.name, "unfinished")
                value = frozen.values[0] if state == "done" and frozen.values else None
                yield Trial(
                    frozen.number, self._values(frozen.params), state, value, **about.get(str(frozen.number), {})
                )

    def unfinished(self) -> Trial | None:
        """The trial that a killed or stopped sweep has left here; one without values is given them."""
        mine = [frozen for frozen in self._frozen() if self._is_mine(frozen)]
        return self._drawn(mine[0]) if mine else None

    def next(self, most: float = math.inf) -> Trial | None:
        """A new trial, with the values that the sampler chooses; None where there are ``most`` of them."""
        from optuna.trial import TrialState, create_trial

        if len(self.trials()) >= most:
            return None
        self._study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={OWNER: self._owner}))
        added = [frozen for frozen in self._frozen() if self._is_mine(frozen)][-1]
        if self._place(added) >= most:  # others have begun the last ones meanwhile
            self._study.tell(added.number, state=TrialState.FAIL)
            return None
        return self._drawn(added)

    def _frozen(self) -> list[Any]:
        """All trials as Optuna has them."""
        return self._study.get_trials(deepcopy=False)

    def _is_mine(self, frozen: Any) -> bool:
        """Whether this is the one to run it. A file has one user at a time."""
        owner = frozen.user_attrs.get(OWNER, "")
        return not frozen.state.is_finished() and (not self.is_shared or owner == self._owner)

    def _place(self, frozen: Any) -> int:
        """The number of trials before it, without those that were given up before they had values."""
        before = (other for other in self._frozen() if other.number < frozen.number)
        return sum(not other.state.is_finished() or self._has_values(other) for other in before)

    def _has_values(self, frozen: Any) -> bool:
        return set(frozen.params) == set(self.space.axes)

    def done(self, trial: Trial, value: float, seconds: float) -> None:
        """Notes the outcome of a trial."""
        self._note(trial, seconds=seconds)
        self._study.tell(trial.number, value)

    def failed(self, trial: Trial, error: str, seconds: float) -> None:
        """Notes why a trial has failed."""
        self._note(trial, seconds=seconds, error=error)
        self._study.tell(trial.number, state=optuna_package().trial.TrialState.FAIL)

    def is_hopeless(self, trial: Trial, value: float, step: int) -> bool:
        """Whether the live metric of a trial, ``value`` at ``step``, is worse than the median of the others there.

        The best value so far counts. The first trials are never hopeless.
        """
        optuna = optuna_package()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a trial that is continued reports a step again
            running = optuna.trial.Trial(self._study, self._frozen()[trial.number]._trial_id)
            running.report(value, step)
            return running.should_prune()

    def pruned(self, trial: Trial, reason: str, seconds: float) -> None:
        """Notes that a trial was ended, and why."""
        self._note(trial, seconds=seconds, error=reason)
        self._study.tell(trial.number, state=optuna_package().trial.TrialState.PRUNED)

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

    def _drawn(self, frozen: Any) -> Trial:
        """A trial with its values; those that it does not have yet are drawn."""
        if not self._has_values(frozen):
            self._study.sampler = self._sampler(self._place(frozen))
            trial = optuna_package().trial.Trial(self._study, frozen._trial_id)
            for name, axis in self.space.axes.items():
                _suggest(trial, name, axis)
        return Trial(frozen.number, self._values(self._frozen()[frozen.number].params), "unfinished")

    def _sampler(self, place: int) -> Any:
        from optuna.samplers import PartialFixedSampler, RandomSampler, TPESampler

        digest = hashlib.sha256(f"{self.seed} {place}".encode()).hexdigest()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that PartialFixedSampler and constant_liar are experimental
            if self.space.size is not None:
                return PartialFixedSampler(self._combination(place), RandomSampler())
            seed = int(digest[:8], 16)
            return TPESampler(seed=seed, n_startup_trials=STARTUP, constant_liar=self.is_shared)

    def _combination(self, index: int) -> dict[str, int]:
        """The places in the lists of the combination at ``index``, in an order that depends on the seed."""
        places = [range(len(axis.values)) for axis in self.space.axes.values() if isinstance(axis, Choices)]
        combinations = list(product(*places))
        random.Random(self.seed).shuffle(combinations)
        return dict(zip(self.space.axes, combinations[index % len(combinations)], strict=True))

    def _values(self, drawn: Mapping[str, Any]) -> Values:
        axes = {name: axis for name, axis in self.space.axes.items() if name in drawn}
        return {
            name: axis.values[drawn[name]] if isinstance(axis, Choices) else axis.rounded(drawn[name])
            for name, axis in axes.items()
        }


def _suggest(trial: Any, name: str, axis: Axis) -> None:
    """A list is drawn from by place."""
    if isinstance(axis, Choices):
        trial.suggest_categorical(name, range(len(axis.values)))
    else:
        suggest = trial.suggest_int if isinstance(axis.low, int) else trial.suggest_float
        suggest(name, axis.low, axis.high, log=axis.is_log)


def is_number(value: Any) -> bool:
    """Whether ``value`` can be compared: a number, and not NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def digest_of(*parts: Any) -> str:
    """A name for a study of these parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()[:12]
