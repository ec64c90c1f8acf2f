"""Wraps the rewards of a stage: reports what was sampled and how it was scored, and enforces their time limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from ryven_llm_nodes.errors import Cancelled, StageError
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.events import Completions, Event, Listener, Progress
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.calls import Caller, Flag, TookTooLong, too_long


class Steps:
    """Passes the events of a stage on, and knows how many optimizer steps it has made: not every trainer says so to
    its rewards."""

    def __init__(self, listen: Listener) -> None:
        self.listen, self.done = listen, 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.done = event.done
        self.listen(event)


@contextmanager
def recording(program: Program, loaded: LoadedProgram, step: Step, listen: Steps, cancelled: Flag) -> Iterator[None]:
    """Inside, every reward that ``step`` calls reports what it scored, and is interrupted by its time limit or a stop.

    The reward functions are wrapped in the loaded module, where the statement of ``step`` looks them up; their values
    pass through unchanged, so that training is the same.
    """
    namespace = loaded.module.__dict__
    before = {part.symbol: namespace[part.symbol] for part in program.rewards(step)}
    with closing(Caller(cancelled)) as caller:
        wrapper = _Wrapper(program, loaded, step, listen, caller)
        namespace.update({name: wrapper.wrapped(name, reward) for name, reward in before.items()})
        try:
            yield
        finally:
            namespace.update(before)


class _Wrapper:
    """Wraps the rewards of one stage."""

    def __init__(self, program: Program, loaded: LoadedProgram, step: Step, listen: Steps, caller: Caller) -> None:
        self.loaded, self.step, self.listen, self.caller = loaded, step, listen, caller
        self.steps = program.graph.by_name
        self.owners = {part.symbol: self.steps[part.owner] for part in program.rewards(step)}

    def wrapped(self, name: str, reward: Any) -> Any:
        if isinstance(reward, type):
            return self._class(reward)
        return (self._later if iscoroutinefunction(reward) else self._now)(reward, self.owners[name])

    def _now(self, reward: Any, owner: Step) -> Any:
        @wraps(reward)
        def now(**arguments: Any) -> Any:
            try:
                scores = self.caller.call(lambda: reward(**arguments), _seconds(owner))
            except TookTooLong as error:
                raise self._too_long(owner, error, arguments) from error
            return self._report(owner, reward.__name__, arguments, scores)

        return now

    def _later(self, reward: Any, owner: Step) -> Any:
        @wraps(reward)
        async def later(**arguments: Any) -> Any:
            try:
                scores = await self.caller.wait(reward(**arguments), _seconds(owner))
            except TookTooLong as error:
                raise self._too_long(owner, error, arguments) from error
            return self._report(owner, reward.__name__, arguments, scores)

        return later

    def _class(self, scorer: type) -> type:
        wrapper = self

        class Recorded(scorer):  # type: ignore[misc, valid-type]
            def __call__(self, **arguments: Any) -> Any:
                scores = super().__call__(**arguments)
                return wrapper._report(wrapper.steps[self.__name__], self.__name__, arguments, scores)

            def scores(self, *batch: Any) -> list[float]:
                if wrapper.caller.cancelled.is_set():  # between two batches
                    raise Cancelled
                return super().scores(*batch)

        return Recorded

    def _report(self, owner: Step, name: str, arguments: dict[str, Any], scores: Any) -> Any:
        event = _event(self.step.name, name, self._done(arguments), arguments, scores)
        self.listen(event)
        wrong = next((score for score in event.scores if score is not None and math.isinf(score)), None)
        if wrong is not None:  # its group's mean would be infinite too, and the gradient NaN
            message = f"returned {wrong} as a reward {self._when(arguments)}; return finite numbers, or None."
            raise StageError(owner.problem(message, "code" if owner.node.holds_code else ""))
        return scores

    def _too_long(self, owner: Step, error: TookTooLong, arguments: dict[str, Any]) -> StageError:
        return StageError(too_long(owner, error, self.loaded, self._when(arguments)))

    def _when(self, arguments: dict[str, Any]) -> str:
        return f"(while {self.step.label} was running, step {self._done(arguments) + 1})"

    def _done(self, arguments: dict[str, Any]) -> int:
        return getattr(arguments.get("trainer_state"), "global_step", self.listen.done)


def _seconds(owner: Step) -> int:
    return int(owner.setting("time_limit"))


def _event(step: str, name: str, done: int, arguments: dict[str, Any], scores: Any) -> Completions:
    prompts, completions = (tuple(map(_as_text, arguments.get(key, ()))) for key in ("prompts", "completions"))
    return Completions(step, done, name, prompts, completions, tuple(_as_score(score) for score in scores))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    messages = value if isinstance(value, list) else [value]
    return "\n".join(_message(m) if isinstance(m, dict) else str(m) for m in messages)


def _message(message: dict[str, Any]) -> str:
    """A message with its role, and the tools that it calls."""
    calls = [call.get("function") or call for call in message.get("tool_calls") or ()]
    written = [f"{one.get('name')}({_arguments(one.get('arguments'))})" for one in calls]
    said = [str(message.get("content"))] if message.get("content") or not calls else []
    name = f" {message['name']}" if message.get("role") == "tool" and message.get("name") else ""
    return f"{message.get('role')}{name}: {' '.join([*said, *(f'[calls {text}]' for text in written)])}"


def _arguments(given: Any) -> str:
    if not isinstance(given, dict):
        return str(given)
    return ", ".join(f"{name}={value!r}" for name, value in given.items())


def _as_score(score: Any) -> float | None:
    try:
        number = float(score)
    except (TypeError, ValueError):
        return None
    return number if number == number else None
