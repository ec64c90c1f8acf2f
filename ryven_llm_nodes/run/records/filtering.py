"""Finds runs: by words, and by comparisons of settings and metrics."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ryven_llm_nodes.run.records.facts import Facts
from ryven_llm_nodes.run.records.history import PastRun
from ryven_llm_nodes.run.states import in_words

COMPARISON: Final = re.compile(r"(?P<name>[^\s<>=!]+)(?P<sign><=|>=|!=|=|<|>)(?P<value>\S*)")
SIGNS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}


def matches(run: PastRun, facts: Facts, query: str) -> bool:
    """Whether ``run`` has all words of ``query``, and all comparisons in it hold.

    A word is looked for in names, note, flow, status, stages and the values of settings. A comparison such as
    ``sft.learning_rate<1e-5`` or ``loss<0.5`` names a setting or a final metric, with or without its node, or status,
    flow, name or time (in seconds).
    """
    text = _text(run, facts)
    about = {"status": in_words(run.status), "flow": run.flow, "name": run.label.name, "time": run.seconds}
    return all(_holds(term, facts, about, text) for term in query.split())


def _text(run: PastRun, facts: Facts) -> str:
    stages = (f"{name} {in_words(run.state(name))}" for name in run.stages)
    values = (str(value) for step in facts.steps.values() for value in step.given.values() if isinstance(value, str))
    parts = (run.name, run.label.name, run.label.note, run.flow, in_words(run.status), run.began, *stages, *values)
    return "\n".join(parts).casefold()


def _holds(term: str, facts: Facts, about: Mapping[str, Any], text: str) -> bool:
    found = COMPARISON.fullmatch(term)
    if found is None:
        return term.casefold() in text
    values = [about[found["name"]]] if found["name"] in about else []
    values += [facts.value(key) for key in _keys(found["name"], facts)]
    return any(_compare(value, found["sign"], found["value"]) for value in values)


def _keys(name: str, facts: Facts) -> set[str]:
    """The settings and metrics that ``name`` stands for."""
    known = {*facts.metrics, *facts.given(), *(f"{step}.{name}" for step in facts.steps)}
    known.add(name)
    fitting = {key for key in known if key == name or key.partition(".")[2] == name}
    return {key for key in fitting if facts.value(key) is not None}


def _compare(value: Any, sign: str, wanted: str) -> bool:
    """Compares as numbers if both are, else as text, of which there is no less and more."""
    number = _number(wanted)
    if number is not None and isinstance(value, (int, float)):
        return SIGNS[sign](value, number)
    return sign in ("=", "!=") and SIGNS[sign](str(value).casefold(), wanted.casefold())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
