"""What several commands have in common: arguments, options, and how their errors are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from ryven_llm_nodes.errors import Cancelled, FlowError, LLMNodesError, Problem, UsageError

if TYPE_CHECKING:
    from ryven_llm_nodes.program import Graph, Program

FlowFile = Annotated[
    Path,
    typer.Argument(metavar="FLOW.json", help="A Ryven project, an exported script, or the folder of a model or run."),
]
FlowTitle = Annotated[str | None, typer.Option("--flow", help="Which flow, if the project contains several.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NODE.PARAM=VALUE", help="Override a parameter; may be repeated."),
]
Processes = Annotated[int, typer.Option("--processes", min=1, help="Short for --launch processes=N, on one machine.")]
Launching = Annotated[
    list[str] | None,
    typer.Option(
        "--launch",
        metavar="[STAGE.]NAME=VALUE",
        help="Override a launch setting, such as strategy=fsdp2 or processes=8; may be repeated.",
    ),
]
Trust = Annotated[bool, typer.Option("--trust", help="Run the flow's own code without asking, now and later.")]
Strict = Annotated[bool, typer.Option("--strict", help="Treat warnings like errors.")]
AllRows = Annotated[bool, typer.Option("--all-rows", help="Count the tokens of all rows, not of a sample of 512.")]
Isolated = Annotated[
    bool, typer.Option("--isolated", help="Each stage in a process of its own, whose memory is free at its end.")
]
Target = Annotated[str | None, typer.Option("--to", metavar="NODE", help="Only this node and what it needs.")]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Shows users' errors as plain lines: exit status 2 for a bad flow or command, 1 for a failed stage."""
    try:
        yield
    except Cancelled as stop:
        raise typer.Exit(130) from stop
    except LLMNodesError as error:
        _fail(error)


def _fail(error: LLMNodesError) -> NoReturn:
    from ryven_llm_nodes.terminal.display import show_findings

    problems = error.problems if isinstance(error, FlowError) else map(Problem, str(error).split("\n"))
    show_findings(problems)
    raise typer.Exit(2 if isinstance(error, FlowError | UsageError) else 1)


def allow(graph: Graph, folder: Path, trust: bool) -> None:
    """Asks the user about code in the flow that is new to this machine. Raises FlowError if it may not run."""
    from ryven_llm_nodes.run.trust.seen import refusal, remember, unseen
    from ryven_llm_nodes.terminal.display import is_terminal, show_foreign

    items = unseen(graph, folder)
    if items and not trust and is_terminal():
        show_foreign(items)
        trust = typer.confirm("Run this code?", default=False, err=True)
    if items and not trust:
        raise refusal(items, "review it, then run again with --trust.")
    if note := remember(items):
        typer.echo(f"note: {note}", err=True)


def say_written(file: Path) -> None:
    """Says which file was written, apart from the output."""
    Console(stderr=True, soft_wrap=True).print(f"wrote {file}", highlight=False, markup=False)


def program_of(
    flow: Path,
    title: str | None,
    settings: list[str] | None,
    to: str | None,
    processes: int = 1,
    launching: list[str] | None = None,
) -> Program:
    """The checked program of a flow file, up to the node ``to``, with settings and launch settings put in."""
    from ryven_llm_nodes.program import apply_settings, build, read_flow
    from ryven_llm_nodes.program.launch.settings import changed
    from ryven_llm_nodes.program.settings import part_up_to

    graph = apply_settings(read_flow(flow, title), settings or [])
    graph = replace(graph, launch=changed(graph.launch.on(processes), launching or []))
    return build(part_up_to(graph, to))
