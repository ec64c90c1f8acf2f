"""Tries rewards on completions, pasted or sampled from the model: what they score, how long they take, what fails."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from inspect import iscoroutinefunction
from math import nan
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, Final

from ryven_llm_nodes.errors import Cancelled, UsageError, shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.calls import OWN_COLUMNS, Caller, TookTooLong, helpers
from ryven_llm_nodes.run.rewards.printed import Printed
from ryven_llm_nodes.run.rewards.sampling import sampled
from ryven_llm_nodes.system.causes import describe

NO_LIMIT: Final = 3600
SEPARATOR: Final = "---"
"""The line between two completions of a text file."""


@dataclass(frozen=True)
class Tried:
    """A completion, its prompt and the other columns of its row; ``group`` numbers the prompt."""

    prompt: Any
    completion: Any
    group: int
    columns: Mapping[str, Any] = field(default_factory=dict)
    ids: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Scores:
    """What one reward gave: a score for each completion, NaN where it gave none or failed, and the failures by row.

    ``seconds`` is the time of one call with all completions, ``printed`` what the function printed meanwhile.
    """

    reward: str
    weight: float
    values: tuple[float, ...]
    seconds: float
    failures: Mapping[int, str] = field(default_factory=dict)
    printed: str = ""

    def spread(self, groups: Sequence[int]) -> list[float]:
        """The standard deviation within each group of completions of one prompt."""
        rows = {
            group: [v for v, g in zip(self.values, groups, strict=True) if g == group and v == v] for group in groups
        }
        return [pstdev(values) if values else 0.0 for values in rows.values()]

    @property
    def there(self) -> list[float]:
        """What was scored."""
        return [value for value in self.values if value == value]

    @property
    def mean(self) -> float:
        """The mean of what was scored."""
        return fmean(self.there) if self.there else nan

    @property
    def equal(self) -> float:
        """The share of completions that have the most common score, of those that have one."""
        return max(Counter(self.there).values()) / len(self.there) if self.there else nan


@dataclass(frozen=True)
class Bench:
    """Completions, and what every reward gave them; ``source`` says where the completions are from."""

    tried: tuple[Tried, ...]
    scores: tuple[Scores, ...]
    source: str

    @property
    def groups(self) -> list[int]:
        """The number of the prompt of each completion."""
        return [tried.group for tried in self.tried]

    @property
    def totals(self) -> list[float]:
        """The weighted sum of the rewards of each completion, as a trainer takes it."""
        if not self.scores:
            return [nan] * len(self.tried)
        rows = zip(*(score.values for score in self.scores), strict=True)
        weights = [score.weight for score in self.scores]
        there = [[(v, w) for v, w in zip(row, weights, strict=True) if v == v] for row in rows]
        return [sum(v * w for v, w in row) if row else nan for row in there]

    def warnings(self) -> Iterator[str]:
        """What a trainer could not learn from."""
        total = Scores("total", 1.0, tuple(self.totals), 0.0)
        if max(map(self.groups.count, self.groups)) < 2:
            return
        for score in (*self.scores, *((total,) if len(self.scores) > 1 else ())):
            if not any(score.spread(self.groups)):
                what = "all completions of a prompt have the same score, so that GRPO learns nothing from it"
                yield f"{score.reward}: {what}; look at the scores, and at what is sampled."


def bench(
    program: Program,
    reward: Step,
    output_dir: Path,
    pasted: Path | None = None,
    prompts: int = 4,
    samples: int = 4,
    tokens: int = 64,
    seed: int = 0,
    trainer: Step | None = None,
    tell: Callable[[Bench], object] = lambda made: None,
) -> Bench:
    """Tries the rewards that ``reward`` gives, on the rows of ``trainer``: by default the first that scores with it.

    ``tell`` gets what is there before each reward is called: the completions, and the scores of those before.
    Raises UsageError if there are no completions to try them on.
    """
    cancelled = threading.Event()
    with LoadedProgram(program, output_dir) as loaded:
        for step in loaded.value_steps:
            loaded.run(step.name)
        trainer = trainer or program.graph.scored_by(reward)
        rows = _rows(loaded, trainer)
        if pasted is not None:
            tried, source = list(_pasted(pasted, rows)), str(pasted)
        elif trainer is None or not rows:
            raise UsageError(f"{reward.label} is connected to no trainer with a model and prompts; give --completions.")
        else:
            made = sampled(program, loaded, trainer, rows[:prompts], samples, tokens, seed)
            tried = [
                Tried(row["prompt"], completion, group, _columns(row), ids)
                for group, (row, answers) in enumerate(zip(rows, made.answers, strict=False))
                for completion, ids in answers
            ]
            source = made.source
        parts = program.cells[reward.name].values["reward"].parts  # type: ignore[attr-defined]
        with closing(Caller(cancelled)) as caller:
            judge = _Judge(program, loaded, caller, tried)
            made = Bench(tuple(tried), (), source)
            for part in parts:
                tell(made)
                made = replace(made, scores=(*made.scores, judge.scores(part)))
            return made


def _rows(loaded: LoadedProgram, trainer: Step | None) -> list[Any]:
    data = loaded.rows(trainer) if trainer is not None else {}
    found = next((rows for rows in data.values() if "prompt" in rows.column_names), ())
    return list(found.select(range(min(64, len(found))))) if len(found) else []


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OWN_COLUMNS}


def as_data(bench: Bench) -> dict[str, Any]:
    """Completions, scores, failures and warnings, as JSON can hold them."""
    return {
        "source": bench.source,
        "completions": [
            {"prompt": tried.prompt, "completion": tried.completion, "group": tried.group, "total": _plain(total)}
            for tried, total in zip(bench.tried, bench.totals, strict=True)
        ],
        "rewards": [_reward(score, bench) for score in bench.scores],
        "warnings": list(bench.warnings()),
    }


def _reward(score: Scores, bench: Bench) -> dict[str, Any]:
    return {
        "reward": score.reward,
        "weight": score.weight,
        "scores": [_plain(value) for value in score.values],
        "spread": score.spread(bench.groups),
        "least": min(score.there, default=None),
        "mean": _plain(score.mean),
        "most": max(score.there, default=None),
        "equal": _plain(score.equal),
        "seconds": score.seconds,
        "failures": {str(number): failure for number, failure in score.failures.items()},
        "printed": score.printed,
    }


def _plain(value: float) -> float | None:
    return value if value == value else None


# Pasted completions


def _pasted(file: Path, rows: list[Any]) -> Iterator[Tried]:
    """The completions of a file; what they do not say of their prompt is that of the dataset, or said before.

    Without a prompt of their own they belong to the first row of the dataset.
    """
    known = {_key(row["prompt"]): dict(row) for row in reversed(rows)}
    groups: dict[str, int] = {}
    for given in _rows_of(file):
        prompt = given.get("prompt", rows[0]["prompt"] if rows else "")
        key = _key(prompt)
        row = known[key] = {**known.get(key, {}), **given}
        if "completion" not in given:
            raise UsageError(
                f"{file}: {shown(given)} has no 'completion'; write one JSON object per line, or plain text."
            )
        completion = given["completion"]
        if isinstance(prompt, list) and isinstance(completion, str):
            completion = [{"role": "assistant", "content": completion}]
        ids = tuple(range(len(str(completion).split())))
        yield Tried(prompt, completion, groups.setdefault(key, len(groups)), _columns(row), ids)


def _key(prompt: Any) -> str:
    return json.dumps(prompt, default=str)


def _rows_of(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from error
    found = _json_rows(text) or _texts(text)
    if not found:
        raise UsageError(
            f"{file} holds no completions; write one per line, or separate them by lines with {SEPARATOR}."
        )
    return found


def _json_rows(text: str) -> list[dict[str, Any]]:
    """The objects of JSON lines, or of a list, in which a text is a completion; none where it is something else."""
    try:
        is_list = text.lstrip().startswith("[")
        found = json.loads(text) if is_list else [json.loads(line) for line in text.split("\n") if line.strip()]
    except ValueError:
        return []
    rows = [{"completion": row} if is_list and isinstance(row, str) else row for row in found]
    return rows if all(isinstance(row, dict) for row in rows) else []


def _texts(text: str) -> list[dict[str, Any]]:
    """Texts between lines with the separator, else one per line."""
    is_separated = SEPARATOR in text.split("\n")
    parts = text.split(f"\n{SEPARATOR}\n") if is_separated else text.split("\n")
    return [{"completion": part.strip("\n")} for part in parts if part.strip()]


# Scoring


class _Judge:
    def __init__(self, program: Program, loaded: LoadedProgram, caller: Caller, tried: list[Tried]) -> None:
        self.program, self.loaded, self.caller, self.tried = program, loaded, caller, tried

    def scores(self, part: Any) -> Scores:
        """What one reward gives: all at once as a trainer asks, and one by one where that fails."""
        owner = self.program.graph.by_name[part.owner]
        reward = self.loaded.evaluated(part.expression)
        name = getattr(reward, "__name__", part.owner)
        started, printed = time.perf_counter(), Printed()
        try:
            values = self._called(reward, owner, self.tried, printed)
        except Cancelled:
            raise
        except Exception as error:
            return self._one_by_one(name, part.weight, reward, owner, error)
        return Scores(name, part.weight, values, time.perf_counter() - started, printed=printed.text)

    def _one_by_one(self, name: str, weight: float, reward: Any, owner: Step, error: Exception) -> Scores:
        values, failures, said, seconds = [], {}, [], 0.0
        for number, tried in enumerate(self.tried):
            started, printed = time.perf_counter(), Printed()
            try:
                values += self._called(reward, owner, [tried], printed)
            except Exception as own:
                values.append(nan)
                failures[number] = self._told(own, owner)
            seconds += time.perf_counter() - started
            said += [f"row {number + 1}: {printed.text}"] if printed.text else []
        failures = failures or {0: f"{self._told(error, owner)} (with all completions at once)"}
        return Scores(name, weight, tuple(values), seconds, failures, "\n".join(said))

    def _called(self, reward: Any, owner: Step, tried: Sequence[Tried], printed: Printed) -> tuple[float, ...]:
        """The scores of a call. Raises what the reward raises, ValueError for what no trainer could use."""
        limit = owner.setting("time_limit") if "time_limit" in owner.node.all_parameters() else NO_LIMIT
        arguments = _arguments(tried)
        called = (
            (lambda: asyncio.run(reward(**arguments))) if iscoroutinefunction(reward) else (lambda: reward(**arguments))
        )
        with redirect_stdout(printed):
            scores = list(self.caller.call(called, limit))
        if len(scores) != len(tried):
            raise ValueError(f"returned {len(scores)} rewards for {len(tried)} completions; return one per completion")
        return tuple(nan if score is None else float(score) for score in scores)

    def _told(self, error: Exception, owner: Step) -> str:
        late = isinstance(error, TookTooLong)
        lines = error.lines_in(self.loaded.file) if late else self.loaded.lines_of(error.__traceback__)
        line = self.loaded.line_in_code(owner, lines)
        return ("" if line is None else f"line {line}: ") + (f"{error}." if late else describe(error))


def _arguments(tried: Sequence[Tried]) -> dict[str, Any]:
    """What TRL passes to a reward for such completions."""
    names = dict.fromkeys(name for one in tried for name in one.columns)
    columns = {name: [one.columns.get(name) for one in tried] for name in names}
    prompts, completions = [one.prompt for one in tried], [one.completion for one in tried]
    ids = [list(one.ids) for one in tried]
    return columns | {"prompts": prompts, "completions": completions, "completion_ids": ids} | helpers()
