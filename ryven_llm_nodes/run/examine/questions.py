"""What a window asks the process that looks at rows, checks flows and tries rewards (``serving.py``), as plain data.

Apart from what answers, so that a window that opens imports none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.program import Graph, Step
from ryven_llm_nodes.program.project import project_of

COMMAND: Final = ("-m", "ryven_llm_nodes.run.examine.serving")
"""The arguments of Python that start such a process."""


def question(graph: Graph, step: Step, number: int, row: str = "", first: int = 1) -> dict[str, Any]:
    """What to ask about the rows of ``step`` in ``graph``, as plain data.

    ``row`` is a number, ``random`` or ``worst``, for a trainer; for a dataset ``first`` is the first row.
    """
    part = graph.upstream([step.name])
    return {
        "number": number,
        "project": project_of(part, part.root),
        "root": str(part.root),
        "step": step.name,
        "steps": [one.name for one in part.steps],
        "row": row,
        "first": first,
    }


def check_question(graph: Graph, output_dir: Path, untrusted: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """To check ``graph`` as :func:`checked` does; the answer holds what was ``found``."""
    project = project_of(graph, graph.root)
    return {"check": project, "root": str(graph.root), "output": str(output_dir), "untrusted": [*untrusted]}


def bench_question(
    graph: Graph, reward: Step, number: int, pasted: str | None, trainer: str = "", **sampling: int
) -> dict[str, Any]:
    """What to ask for the scores that ``reward`` gives to completions: ``pasted`` ones, or sampled ones.

    ``trainer`` names the one whose rows and model are used, by default the first that scores with it.
    """
    scorer = graph.by_name.get(trainer) or graph.scored_by(reward)
    name = scorer.name if scorer else ""
    part = graph.upstream([reward.name, *([name] if name else [])])
    asked = {"bench": project_of(part, part.root), "root": str(part.root), "step": reward.name, "trainer": name}
    return {
        "number": number,
        "steps": [step.name for step in part.steps],
        **asked,
        "pasted": pasted,
        "sampling": sampling,
    }
