"""Calls each reward function once before training, as TRL would, with two rows of its dataset."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from inspect import Parameter, iscoroutinefunction, signature
from math import isinf
from typing import Any

from ryven_llm_nodes.errors import Cancelled, Explained, Problem, shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.calls import Caller, TookTooLong, too_long
from ryven_llm_nodes.system.causes import describe

SAMPLE_ROWS = 2
VARIED = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def reward_problems(
    program: Program, loaded: LoadedProgram, step: Step, cancelled: threading.Event
) -> Iterator[Problem]:
    """What is wrong with the reward functions that the trainer ``step`` calls. Raises Cancelled when asked to stop."""
    data = [rows for rows in loaded.rows(step).values() if len(rows) and "prompt" in rows.column_names]
    for part in program.rewards(step):
        owner = program.graph.by_name[part.owner]
        if owner.name in loaded.script.definitions:
            with closing(Caller(cancelled)) as caller:
                for sample in map(_sample, data):
                    yield from _tried(loaded, owner, part.symbol, sample, caller)


def _sample(data: Any) -> dict[str, list[Any]]:
    """The keyword arguments that TRL would pass for the first rows, with a short answer as completion."""
    rows = [data[i] for i in range(min(SAMPLE_ROWS, len(data)))]
    kept = [name for name in rows[0] if name not in ("prompt", "completion", "completion_ids")]
    columns = {name: [row[name] for row in rows] for name in kept}
    answer = "This is a short answer."
    as_chat = isinstance(rows[0]["prompt"], list)
    completions = [[{"role": "assistant", "content": answer}] if as_chat else answer for _ in rows]
    prompts = [row["prompt"] for row in rows]
    return columns | {"prompts": prompts, "completions": completions, "completion_ids": [[0] for _ in rows]}


def _tried(
    loaded: LoadedProgram, owner: Step, name: str, sample: Mapping[str, list[Any]], caller: Caller
) -> Iterator[Problem]:
    """Calls the reward function ``name`` of ``owner`` as TRL would."""
    limit = owner.setting("time_limit")
    try:
        rewards = caller.call(lambda: _rewards(loaded, owner, name, sample), limit)
    except Cancelled:
        raise
    except TookTooLong as error:
        yield too_long(owner, error, loaded, "(tested with two rows of its dataset)")
    except Exception as error:
        line = loaded.line_in_code(owner, loaded.lines_of(error.__traceback__))
        where = "" if line is None else f"line {line}: "
        yield owner.problem(f"{where}{describe(error)} Tested with two rows of its dataset.", _place(owner))
    else:
        wrong = None if rewards is None else _wrong_rewards(name, rewards[0], len(sample["prompts"]))
        if wrong:
            yield owner.problem(wrong, _place(owner))


def _place(owner: Step) -> str:
    """The parameter whose fault an error of the function is."""
    return "code" if owner.node.holds_code else ""


def _rewards(loaded: LoadedProgram, owner: Step, name: str, sample: Mapping[str, list[Any]]) -> tuple[Any] | None:
    """What the function returns, in a tuple of one; None if it is not called."""
    from transformers import TrainerState

    helpers = {"trainer_state": TrainerState(), "log_extra": lambda *_: None, "log_metric": lambda *_: None}
    namespace = dict(loaded.module.__dict__)
    exec(loaded.definition(owner.name), namespace)
    _refuse_missing(namespace[name], {**sample, **helpers})
    if iscoroutinefunction(namespace[name]):
        return None  # it waits for something, such as a server, which a test should not call
    return (namespace[name](**sample, **helpers),)


def _refuse_missing(function: Any, passed: Mapping[str, Any]) -> None:
    """Raises Explained if ``function`` requires an argument that is not passed."""
    demanded = [
        p.name for p in signature(function).parameters.values() if p.default is p.empty and p.kind not in VARIED
    ]
    missing = [name for name in demanded if name not in passed]
    if missing:
        names, there = ", ".join(map(repr, missing)), ", ".join(map(repr, passed))
        remedy = "Add the column to the dataset, or give the argument a default."
        raise Explained(f"{function.__name__}() requires {names}, but is passed only {there}. {remedy}")


def _wrong_rewards(name: str, rewards: Any, wanted: int) -> str | None:
    try:
        values = list(rewards)
    except TypeError:
        return f"{name}() returned {shown(rewards)}; return a list with one number per completion."
    if len(values) != wanted:
        return f"{name}() returned {len(values)} rewards for {wanted} completions; return one number per completion."
    for value in values:
        try:
            is_wrong = isinf(0 if value is None else value)
        except (TypeError, ValueError):
            is_wrong = True
        if is_wrong:
            return f"{name}() returned {shown(value)} as a reward; return numbers, or None."
    return None
