"""Listens to rewards: what was sampled, and how each reward scored it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from ryven_llm_nodes.catalogue.cell import RewardValue
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.events import Completions, Listener
from ryven_llm_nodes.run.loaded import LoadedProgram


@contextmanager
def recording(program: Program, loaded: LoadedProgram, step: Step, listen: Listener) -> Iterator[None]:
    """Inside, every reward that ``step`` calls reports what it scored.

    The reward functions are wrapped in the loaded module, where the statement of ``step`` looks them up; their values
    pass through untouched, so that training is the same.
    """
    namespace = loaded.module.__dict__
    before = {name: namespace[name] for name in _reward_names(program, step) if name in namespace}
    for name, reward in before.items():
        namespace[name] = _recorded(reward, step.name, listen)
    try:
        yield
    finally:
        namespace.update(before)


def _reward_names(program: Program, step: Step) -> Iterator[str]:
    """The global names behind the rewards of ``step``: a function, or the class that scores with a model."""
    if "reward" in step.wires:
        wire = step.wires["reward"]
        value = program.cells[wire.step].values[wire.port]
        assert isinstance(value, RewardValue)
        yield from {part.expression.partition("(")[0] for part in value.parts}


def _recorded(reward: Any, step: str, listen: Listener) -> Any:
    if isinstance(reward, type):
        return _recorded_class(reward, step, listen)

    def report(arguments: dict[str, Any], scores: Any) -> Any:
        listen(_event(step, reward.__name__, arguments, scores))
        return scores

    if iscoroutinefunction(reward):

        @wraps(reward)
        async def later(**arguments: Any) -> Any:
            return report(arguments, await reward(**arguments))

        return later

    @wraps(reward)
    def now(**arguments: Any) -> Any:
        return report(arguments, reward(**arguments))

    return now


def _recorded_class(scorer: type, step: str, listen: Listener) -> Callable[..., Any]:
    class Recorded(scorer):  # type: ignore[misc, valid-type]
        def __call__(self, **arguments: Any) -> Any:
            scores = super().__call__(**arguments)
            listen(_event(step, self.__name__, arguments, scores))
            return scores

    return Recorded


def _event(step: str, name: str, arguments: dict[str, Any], scores: Any) -> Completions:
    done = getattr(arguments.get("trainer_state"), "global_step", 0)
    prompts, completions = (tuple(map(_as_text, arguments.get(key, ()))) for key in ("prompts", "completions"))
    return Completions(step, done, name, prompts, completions, tuple(_as_score(score) for score in scores))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    messages = value if isinstance(value, list) else [value]
    return "\n".join(f"{m.get('role')}: {m.get('content')}" if isinstance(m, dict) else str(m) for m in messages)


def _as_score(score: Any) -> float | None:
    try:
        number = float(score)
    except (TypeError, ValueError):
        return None
    return number if number == number else None
