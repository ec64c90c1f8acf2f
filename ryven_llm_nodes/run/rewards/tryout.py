"""Calls each reward function once before training, as TRL would, with two rows of its dataset."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from inspect import Parameter, iscoroutinefunction, signature
from math import isinf
from typing import Any

from ryven_llm_nodes.errors import Cancelled, Explained, Problem, shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.calls import OWN_COLUMNS, Caller, TookTooLong, helpers, too_long
from ryven_llm_nodes.system.causes import describe

SAMPLE_ROWS = 2
MOST_ODD = 8
"""Further rows that are tried one by one."""
LONGEST_ANSWER = 2000
ANSWER = "This is a short answer."
THOUGHT = "<think>\nA thought.\n</think>\n<answer>42</answer>"
VARIED = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def reward_problems(
    program: Program,
    loaded: LoadedProgram,
    step: Step,
    cancelled: threading.Event,
    odd: Mapping[str, Sequence[int]] | None = None,
) -> Iterator[Problem]:
    """What is wrong with the reward functions that the trainer ``step`` calls. Raises Cancelled when asked to stop.

    ``odd`` names further rows of each dataset (from 1) that should be tried, since their values are of another kind.
    """
    data = {port: rows for port, rows in loaded.rows(step).items() if len(rows) and "prompt" in rows.column_names}
    is_open = bool(step.wired("rollout"))
    for part in program.rewards(step):
        owner = program.graph.by_name[part.owner]
        is_function = f"def {part.symbol}(" in program.cells[owner.name].definition
        if is_function and owner.name not in loaded.without:
            with closing(Caller(cancelled)) as caller:
                for port, rows in data.items():
                    trial = _Trial(loaded, owner, part.symbol, caller, is_open)
                    yield from trial.problems(rows, (odd or {}).get(port, ()))


@dataclass
class _Trial:
    """Calls of one reward function. ``is_open``: a rollout may pass it further arguments, which are not known here."""

    loaded: LoadedProgram
    owner: Step
    name: str
    caller: Caller
    is_open: bool = False

    def problems(self, data: Any, odd: Sequence[int]) -> Iterator[Problem]:
        """What is wrong with it on ``data``: on two rows, on ``odd`` ones, and on several completions of one row."""
        first = [data[i] for i in range(min(SAMPLE_ROWS, len(data)))]
        wrong = list(self._tried(_passed(first, [ANSWER] * len(first)), "two rows"))
        for number in [row for row in odd if row > SAMPLE_ROWS][:MOST_ODD] if not wrong else ():
            wrong += self._tried(_passed([data[number - 1]], [ANSWER]), f"row {number}")
        yield from wrong
        if not wrong and self.owner.node.holds_code:  # what is written from parameters tells completions apart
            yield from self._variation(data[0])

    def _tried(self, sample: Mapping[str, list[Any]], rows: str) -> Iterator[Problem]:
        try:
            rewards = self._called(sample)
        except Cancelled:
            raise
        except TookTooLong as error:
            yield too_long(self.owner, error, self.loaded, f"(tested with {rows} of its dataset)")
        except Exception as error:
            line = self.loaded.line_in_code(self.owner, self.loaded.lines_of(error.__traceback__))
            where = "" if line is None else f"line {line}: "
            yield self.owner.problem(f"{where}{describe(error)} Tested with {rows} of its dataset.", _place(self.owner))
        else:
            wrong = None if rewards is None else _wrong_rewards(self.name, rewards[0], len(sample["prompts"]))
            if wrong:
                yield self.owner.problem(wrong, _place(self.owner))

    def _called(self, sample: Mapping[str, list[Any]]) -> tuple[Any] | None:
        """What the function returns, in a tuple of one; None if it is not called."""
        limit = self.owner.setting("time_limit")
        return self.caller.call(lambda: _rewards(self.loaded, self.owner, self.name, sample, self.is_open), limit)

    def _variation(self, row: Mapping[str, Any]) -> Iterator[Problem]:
        """Completions of one row that all get the same reward: within a group, nothing would be learned."""
        answers = list(_answers(row))
        sample = _passed([row] * len(answers), answers)
        try:
            rewards = self._called(sample)
        except Cancelled:
            raise
        except TookTooLong:
            return  # more completions than the limit is meant for
        except Exception as error:
            line = self.loaded.line_in_code(self.owner, self.loaded.lines_of(error.__traceback__))
            where = "" if line is None else f"line {line}: "
            text = (
                f"{where}{describe(error)} Tested with completions such as '', '42' and '{{...}}', which models write."
            )
            yield replace(self.owner.problem(text, _place(self.owner)), weight="warning")
            return
        values = [] if rewards is None else list(rewards[0])
        if values and all(value == values[0] for value in values):
            what = f"{self.name}() gave {values[0]} to all {len(values)} completions of a trial (short, long and empty "
            what += "ones, and the values of the row's own columns): rewards that never differ teach nothing"
            yield replace(
                self.owner.problem(f"{what}. Let it tell good completions from bad.", _place(self.owner)),
                weight="warning",
            )


def _answers(row: Mapping[str, Any]) -> Iterator[str]:
    """Completions of many shapes."""
    yield from (ANSWER, "", "42", "word " * 60, THOUGHT, '{"answer": 42}')
    for name, value in row.items():
        if name != "prompt" and isinstance(value, str | int | float) and len(str(value)) < LONGEST_ANSWER:
            yield from (str(value), f"The answer is {value}.", rf"\boxed{{{value}}}", f"<answer>{value}</answer>")


def _passed(rows: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> dict[str, list[Any]]:
    """The keyword arguments that TRL would pass for ``rows``, with one completion for each."""
    kept = [name for name in rows[0] if name not in OWN_COLUMNS]
    columns = {name: [row[name] for row in rows] for name in kept}
    as_chat = isinstance(rows[0]["prompt"], list)
    completions = [[{"role": "assistant", "content": answer}] if as_chat else answer for answer in answers]
    prompts = [row["prompt"] for row in rows]
    return columns | {"prompts": prompts, "completions": completions, "completion_ids": [[0] for _ in rows]}


def _place(owner: Step) -> str:
    """The parameter whose fault an error of the function is."""
    return "code" if owner.node.holds_code else ""


def _rewards(
    loaded: LoadedProgram, owner: Step, name: str, sample: Mapping[str, list[Any]], is_open: bool
) -> tuple[Any] | None:
    """What the function returns, in a tuple of one; None if it is not called."""
    others = helpers()
    namespace = dict(loaded.module.__dict__)
    exec(loaded.definition(owner.name), namespace)
    missing = _missing(namespace[name], {**sample, **others})
    if missing and is_open:
        return None
    _refuse(missing, name, {**sample, **others})
    if iscoroutinefunction(namespace[name]):
        return None  # it waits for something, such as a server, which a test should not call
    return (namespace[name](**sample, **others),)


def _missing(function: Any, passed: Mapping[str, Any]) -> list[str]:
    """The arguments that ``function`` requires and that are not passed."""
    demanded = [
        p.name for p in signature(function).parameters.values() if p.default is p.empty and p.kind not in VARIED
    ]
    return [name for name in demanded if name not in passed]


def _refuse(missing: Sequence[str], name: str, passed: Mapping[str, Any]) -> None:
    """Raises Explained if arguments are ``missing``."""
    if missing:
        names, there = ", ".join(map(repr, missing)), ", ".join(map(repr, passed))
        remedy = "Add the column to the dataset, or give the argument a default."
        raise Explained(f"{name}() requires {names}, but is passed only {there}. {remedy}")


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
