"""Overrides values of a graph: ``--set NODE.PARAM=VALUE``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ryven_llm_nodes.errors import UsageError, one_line, suggestion
from ryven_llm_nodes.program.graph import Graph, Step


def apply_settings(graph: Graph, settings: Iterable[str]) -> Graph:
    """``graph`` with the values of ``NODE.PARAM=VALUE`` put in. Raises UsageError; values are checked with the flow."""
    for setting in settings:
        target, equals, value = setting.partition("=")
        name, dot, parameter = target.strip().partition(".")
        if not equals or not dot:
            raise UsageError(f"--set {one_line(setting)}: write NODE.PARAM=VALUE, such as sft.learning_rate=1e-5.")
        step = find_step(graph, name)
        known = step.node.all_parameters().get(parameter)
        given = {**step.given, parameter: known.parse(value) if known else value}
        steps = (replace(s, given=given) if s is step else s for s in graph.steps)
        graph = replace(graph, steps=tuple(steps))
    return graph


def find_step(graph: Graph, name: str) -> Step:
    """The step called ``name``. Raises UsageError that lists the existing ones."""
    if name in graph.by_name:
        return graph.by_name[name]
    there = ", ".join(graph.by_name)
    raise UsageError(f"there is no node {name!r}.{suggestion(name, list(graph.by_name))} Nodes: {there}.")


def find_scorer(graph: Graph, reward: Step, name: str | None) -> Step | None:
    """The stage called ``name`` that scores with ``reward``; without a name, the first that does, if any.

    Raises UsageError that lists those that do.
    """
    if not name:
        return graph.scored_by(reward)
    found, scorers = find_step(graph, name), {step.name: step for step in graph.scorers(reward)}
    if name not in scorers:
        there = f"Those that do: {', '.join(scorers)}." if scorers else "No node does."
        raise UsageError(f"{found.label} does not score with {reward.label}. {there}")
    return found


def part_up_to(graph: Graph, name: str | None) -> Graph:
    """What the step called ``name`` needs, and itself; all of ``graph`` without a name. Raises UsageError."""
    return graph.upstream([find_step(graph, name).name]) if name else graph
