"""The commands of experiments: `ryven-llm compare` and `sweep`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ryven_llm_nodes.cli.options import FlowFile, FlowTitle, Isolated, Trust, allow, plain_errors, say_written
from ryven_llm_nodes.errors import LLMNodesError, UsageError

if TYPE_CHECKING:
    from ryven_llm_nodes.catalogue.sweep_settings import SweepSettings
    from ryven_llm_nodes.program import Graph
    from ryven_llm_nodes.run.sweeping.sweep import Plan, Result


def compare(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="REPORT_OR_MODEL...",
            help="Folders of evaluations, of models that were evaluated, of comparisons, of runs, or of outputs.",
        ),
    ],
    alpha: Annotated[float, typer.Option(min=0.0, max=1.0, help="Accepted chance of any false difference.")] = 0.05,
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Evaluations of one name are of trainings that differ in their seeds.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    as_csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the table as CSV.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page that needs no network.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table as Markdown.")] = None,
    votes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also count the blind votes that a page has saved.")
    ] = None,
) -> None:
    """Put evaluations of any runs side by side: which model is better, by how much, and by more than chance."""
    from ryven_llm_nodes.run.comparing.comparison import comparison_of, comparison_over_seeds
    from ryven_llm_nodes.run.comparing.found import evaluations_at, evaluations_by_seed
    from ryven_llm_nodes.run.comparing.votes import read_votes
    from ryven_llm_nodes.terminal.compare import show_compared, write_compared

    with plain_errors():
        if seeds:
            comparison = comparison_over_seeds(evaluations_by_seed(places), alpha)
        else:
            comparison = comparison_of(evaluations_at(places), alpha)
        tally = read_votes(votes) if votes else None
        show_compared(comparison, Console(soft_wrap=True), as_json, tally)
        for file in write_compared(comparison, as_csv, html, markdown):
            say_written(file)


Measured = Annotated[
    str,
    typer.Option("--metric", metavar="NODE.METRIC", help="A measure of an evaluation, or what a stage logged last."),
]
Varied = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NODE.PARAM=VALUES", help="A,B,C or LOW..HIGH[:log]; one value is set in all."),
]
Trials = Annotated[
    int | None, typer.Option(min=1, help="How many; default: all combinations, where there are only lists.")
]
Direction = Annotated[str, typer.Option(help="maximize or minimize the metric; default: maximize.")]
Seed = Annotated[int | None, typer.Option(help="Seed of what is tried; default: 0.")]
Prune = Annotated[
    str,
    typer.Option(
        metavar="NODE.METRIC",
        help="A metric that a trainer logs: a trial that is worse than the median of the others there is ended.",
    ),
]
Described = Annotated[
    str | None, typer.Option("--node", metavar="NODE", help="The Sweep node to follow, if the flow has several.")
]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="RYVEN_LLM_STORAGE",
        help="A database that several machines share, such as postgresql://HOST/NAME; default: a file of this one. "
        "In the environment, its password stays out of the history of the shell.",
    ),
]
ApplyBest = Annotated[bool, typer.Option("--apply", "--write-best", help="Write the best values into the flow.")]


def sweep(
    flow: FlowFile,
    metric: Measured = "",
    settings: Varied = None,
    trials: Trials = None,
    direction: Direction = "",
    seed: Seed = None,
    prune: Prune = "",
    node: Described = None,
    storage: Storage = None,
    apply_best: ApplyBest = False,
    title: FlowTitle = None,
    output_dir: Annotated[Path | None, typer.Option(help="Output folder; default: outputs/<flow>.")] = None,
    trust: Trust = False,
    isolated: Isolated = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page that needs no network.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The trials as JSON.")] = False,
) -> None:
    """Run the flow with other values until the best are found (Optuna: TPE; a grid where there are only lists).

    What is varied and optimized stands in a Sweep node of the flow, or in --set and --metric, which take precedence.

    Stages that trials share run once. Give the same command again to continue a sweep that was stopped or killed; on
    several machines, with the same --storage, each runs some of the trials.
    """
    from ryven_llm_nodes.host.session import default_output_dir
    from ryven_llm_nodes.program import read_flow
    from ryven_llm_nodes.program.project import set_values
    from ryven_llm_nodes.run import here, in_processes
    from ryven_llm_nodes.run.sweeping.storage import Database
    from ryven_llm_nodes.run.sweeping.sweep import planned
    from ryven_llm_nodes.terminal.sweep import run_sweep

    with plain_errors():
        _refuse(flow, direction, apply_best)
        graph = read_flow(flow, title)
        folder = output_dir or default_output_dir(graph.title)
        given = {"vary": tuple(settings or ()), "metric": metric, "trials": trials, "seed": seed, "prune": prune}
        given["maximize"] = direction == "maximize" if direction else None
        wanted = _wanted(graph, node, {name: value for name, value in given.items() if value not in (None, "", ())})
        plan = planned(wanted, graph, folder, Database(storage) if storage else None)
        result = run_sweep(plan, lambda graph: allow(graph, folder, trust), in_processes if isolated else here)
        _tell(plan, result, html, as_json)
        if result.best is None:
            raise LLMNodesError("no trial was done, so there is no best one.")
        if apply_best:
            if result.elsewhere:
                raise LLMNodesError("the best values are not written before all trials are finished.")
            set_values(flow, graph, result.best.values)
            say_written(flow)


def _wanted(graph: Graph, node: str | None, given: Mapping[str, Any]) -> SweepSettings:
    """The sweep that is ``given``, as far as it is; the rest of it is what a node describes."""
    from ryven_llm_nodes.catalogue.sweep_settings import SweepSettings
    from ryven_llm_nodes.program.sweeping.declared import declared

    if node is None and {"vary", "metric"} <= given.keys():
        return replace(SweepSettings(), **given)
    return replace(declared(graph, node).settings, **given)


def _refuse(flow: Path, direction: str, apply_best: bool) -> None:
    """Refuses options that cannot be followed. Raises UsageError."""
    if direction not in ("", "maximize", "minimize"):
        raise UsageError(f"--direction {direction}: give maximize or minimize.")
    if apply_best and (flow.suffix == ".py" or flow.is_dir()):
        raise UsageError(f"--apply writes into a flow file, and {flow} is none.")


def _tell(plan: Plan, result: Result, html: Path | None, as_json: bool) -> None:
    """Shows the trials, and writes the page."""
    from ryven_llm_nodes.run.sweeping.page import page
    from ryven_llm_nodes.system.files import write_whole
    from ryven_llm_nodes.terminal.sweep import show_sweep

    show_sweep(plan, result, Console(soft_wrap=True), as_json)
    if html is not None:
        write_whole(html, page(plan, result))
        say_written(html)
