"""What `ryven-llm check` finds and shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.host.session import default_output_dir
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run.examine.check import checked
from ryven_llm_nodes.run.examine.here import here_problems
from ryven_llm_nodes.run.trust.seen import unseen
from ryven_llm_nodes.terminal.display import quiet_libraries, show_findings


def found_in(program: Program, quick: bool, all_rows: bool, trust: bool) -> list[Problem]:
    """What is found in a flow; ``quick`` reads no rows. Code that its user has not allowed is not run."""
    if quick:
        return list(here_problems(program))
    quiet_libraries()
    folder = default_output_dir(program.graph.title)
    untrusted = [] if trust else [(item.step, item.parameter) for item in unseen(program.graph, folder)]
    return checked(program, folder, untrusted, all_rows=all_rows)


def show_checked(flow: Path, program: Program, problems: Sequence[Problem]) -> None:
    """The findings, and how many there are, unless there are errors."""
    show_findings(problems)
    if all(problem.weight != "error" for problem in problems):
        stages = [step.label for step in program.steps if step.node.is_stage]
        counts = ((sum(p.weight == weight for p in problems), weight) for weight in ("warning", "note"))
        found = ", ".join(f"{count} {weight}{'s' * (count > 1)}" for count, weight in counts if count) or "no problems"
        text = f"{flow}: {found}; {len(program.steps)} nodes, stages: {', '.join(stages) or 'none'}"
        Console(soft_wrap=True).print(text, highlight=False, markup=False)
