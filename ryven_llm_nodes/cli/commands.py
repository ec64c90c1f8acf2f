"""The command line: `ryven-llm run`, `check`, `preview`, `export` and others, which `ryven-llm --help` lists."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.console import Console

from ryven_llm_nodes import __version__
from ryven_llm_nodes.cli.agents import mcp
from ryven_llm_nodes.cli.chat import chat
from ryven_llm_nodes.cli.experiments import compare, sweep
from ryven_llm_nodes.cli.launching import export, plan, submit
from ryven_llm_nodes.cli.options import (
    AllRows,
    FlowFile,
    FlowTitle,
    Isolated,
    Launching,
    Processes,
    Settings,
    Strict,
    Target,
    Trust,
    allow,
    plain_errors,
    program_of,
)
from ryven_llm_nodes.cli.setting_up import demo, install
from ryven_llm_nodes.cli.starting import docs, import_, new
from ryven_llm_nodes.errors import FlowError, UsageError

if TYPE_CHECKING:
    from ryven_llm_nodes.program import Program

app = typer.Typer(
    help="Draw a post-training pipeline in Ryven, run it with TRL, and export it as a plain script.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Entry point of ``ryven-llm``."""
    from ryven_llm_nodes.program.environment import prepare_environment

    prepare_environment()  # before a command imports libraries
    app()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ryven-llm-nodes {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Draw a post-training pipeline in Ryven, run it with TRL, and export it as a plain script."""


@app.command()
def check(
    flow: FlowFile,
    title: FlowTitle = None,
    settings: Settings = None,
    processes: Processes = 1,
    launching: Launching = None,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read rows and tokenizers.")] = False,
    all_rows: AllRows = False,
    strict: Strict = False,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="All findings as JSON.")] = False,
) -> None:
    """Report all findings about a flow at once: its settings, rows, tokenizers and models. Nothing is trained.

    Exit status 2 if there are errors; with --strict, also if there are warnings.
    """
    from ryven_llm_nodes.terminal.check import found_in, show_checked

    with plain_errors():
        program: Program | None = None
        try:
            program = program_of(flow, title, settings, None, processes, launching)
            problems = found_in(program, quick, all_rows, trust)
        except FlowError as error:
            if not as_json:
                raise
            problems = list(error.problems)
        if as_json:
            typer.echo(json.dumps([problem.to_dict() for problem in problems], indent=2))
        elif program is not None:
            show_checked(flow, program, problems)
        weights = {problem.weight for problem in problems}
        if "error" in weights or (strict and "warning" in weights):
            raise typer.Exit(2)


@app.command()
def run(
    flow: FlowFile,
    title: FlowTitle = None,
    to: Target = None,
    settings: Settings = None,
    output_dir: Annotated[Optional[Path], typer.Option(help="Output folder; default: outputs/<flow>.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", "--retrain-all", help="Retrain all stages; reuse none.")] = False,
    trust: Trust = False,
    strict: Strict = False,
    all_rows: AllRows = False,
    isolated: Isolated = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse",
            help="A few steps of every stage, with the rehearsal models of Load Model, into <output>-rehearsal; then "
            "how long the real run takes.",
        ),
    ] = False,
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="Processes that share each stage; above 1, stages are isolated.")
    ] = 1,
    launching: Launching = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every event as one line of JSON.")] = False,
) -> None:
    """Run the flow: the very text that `export` writes, with a progress bar and live metrics.

    Rows, tokenizers, models and settings are examined first. Errors end the run; with --strict, warnings do too.
    """
    from ryven_llm_nodes.host.session import default_output_dir
    from ryven_llm_nodes.run import here, in_processes, rehearse_program, run_program
    from ryven_llm_nodes.terminal.display import show_run

    with plain_errors():
        if rehearse and processes > 1:
            raise UsageError("--rehearse takes one process; leave out --processes.")
        program = program_of(flow, title, settings, to, processes, launching)
        folder = output_dir or default_output_dir(program.graph.title)
        allow(program.graph, folder, trust)
        place = in_processes if isolated else here
        work = rehearse_program if rehearse else run_program
        show_run(program, folder, as_json, work, fresh=fresh, strict=strict, all_rows=all_rows, place=place)


@app.command()
def preview(
    flow: FlowFile,
    node: Annotated[str, typer.Argument(metavar="NODE", help="A dataset, or a trainer.")],
    row: Annotated[
        Optional[str], typer.Option("--row", metavar="N", help="Which row: a number, random, or worst.")
    ] = None,
    title: FlowTitle = None,
    settings: Settings = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with the ids of all tokens.")] = False,
) -> None:
    """Show rows as they are, or as a trainer will see them: the text, and which tokens are trained, read or cut."""
    from ryven_llm_nodes.host.session import default_output_dir
    from ryven_llm_nodes.program.settings import find_step
    from ryven_llm_nodes.terminal.display import quiet_libraries
    from ryven_llm_nodes.terminal.preview import show_preview

    quiet_libraries()
    with plain_errors():
        program = program_of(flow, title, settings, node)
        allow(program.graph, default_output_dir(program.graph.title), trust)
        console = Console(soft_wrap=True)
        show_preview(program, find_step(program.graph, node), row, as_json, console)


@app.command()
def bench(
    flow: FlowFile,
    reward: Annotated[str, typer.Argument(metavar="REWARD", help="A node that gives a reward.")],
    completions: Annotated[
        Optional[Path],
        typer.Option(
            metavar="FILE",
            help="Completions to score: one per line, texts between lines with ---, or JSON rows with 'completion'; "
            "default: sampled from the model.",
        ),
    ] = None,
    trainer: Annotated[
        Optional[str],
        typer.Option(
            metavar="NODE",
            help="The node that scores with the reward and whose rows, prompts and model are used; default: the first.",
        ),
    ] = None,
    prompts: Annotated[int, typer.Option(min=1, help="Prompts that are sampled from.")] = 4,
    samples: Annotated[int, typer.Option(min=1, help="Completions per prompt.")] = 4,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens of a completion at most.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    title: FlowTitle = None,
    settings: Settings = None,
    trust: Annotated[bool, typer.Option("--trust", help="Run the flow's own code without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Score completions with a reward: every score, the spread within a group, times, and failures with their line."""
    from ryven_llm_nodes.program.settings import find_scorer, find_step
    from ryven_llm_nodes.run.rewards.bench import bench as tried
    from ryven_llm_nodes.terminal.bench import show_bench

    with plain_errors():
        program = program_of(flow, title, settings, None)
        step = find_step(program.graph, reward)
        if "reward" not in program.cells[step.name].values:
            raise UsageError(f"{step.label} gives no reward; name a node that does.")
        scorer = find_scorer(program.graph, step, trainer)
        program = program_of(flow, title, settings, scorer.name if scorer else step.name)
        with TemporaryDirectory() as folder:
            allow(program.graph, Path(folder), trust)
            made = tried(program, step, Path(folder), completions, prompts, samples, tokens, seed, scorer)
        show_bench(made, Console(), as_json)


@app.command()
def fit(
    flow: FlowFile,
    title: FlowTitle = None,
    to: Target = None,
    settings: Settings = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also train two steps of each stage, and measure.")
    ] = False,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, in bytes.")] = False,
) -> None:
    """Estimate the memory that each stage takes at its peak, part by part, and compare it with that of this machine."""
    from ryven_llm_nodes.host.session import default_output_dir
    from ryven_llm_nodes.terminal.fit import show_fit

    with plain_errors():
        program = program_of(flow, title, settings, to)
        allow(program.graph, default_output_dir(program.graph.title), trust)
        show_fit(program, measure, as_json, Console(soft_wrap=True))


@app.command()
def nodes(
    name: Annotated[
        Optional[str], typer.Argument(metavar="[NODE[.PARAMETER]]", help="A node, or one of its parameters in full.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="One line for every parameter of NODE.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every parameter.")] = False,
) -> None:
    """List the nodes, the essential parameters of one, or one parameter in full, with defaults and help."""
    from ryven_llm_nodes.terminal.nodes import show_nodes

    with plain_errors():
        show_nodes(Console(), name, everything, as_json)


@app.command()
def edit(
    flow: Annotated[
        Optional[Path],
        typer.Argument(metavar="[FLOW.json]", help="A project, an exported script, or the folder of a model or a run."),
    ] = None,
    template: Annotated[Optional[str], typer.Option("--new", metavar="NAME", help="Start from a template.")] = None,
) -> None:
    """Open the editor: with a flow, with a template (see `new`), or with the start page."""
    from ryven_llm_nodes.demo.story import editor_flow
    from ryven_llm_nodes.gui.editor import edit as open_editor

    with plain_errors():
        if flow is not None and template is not None:
            raise UsageError(f"give a flow or a template, not both: {flow} and --new {template}.")
        raise typer.Exit(open_editor(flow, template, editor_flow))


@app.command("cache")
@app.command(hidden=True)
def kept(
    folder: Annotated[Path, typer.Argument(help="An output folder, or one that contains several.")] = Path("outputs"),
    clear: Annotated[bool, typer.Option("--clear", help="Delete all listed stages.")] = False,
) -> None:
    """List the cached stages with their sizes, or delete them."""
    from ryven_llm_nodes.terminal.runs import show_kept

    with plain_errors():
        show_kept(folder, clear, Console(soft_wrap=True))


@app.command()
def runs(
    which: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="[RUN] [OTHER]", help="A run to show, or two to compare: number, name or folder."),
    ] = None,
    folder: Annotated[Path, typer.Option("--in", help="An output folder, or one that contains several.")] = Path(
        "outputs"
    ),
    open_flow: Annotated[bool, typer.Option("--edit", help="Open the flow of RUN in the editor.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the record of RUN; its models stay.")] = False,
) -> None:
    """Show the run history, one run, or two compared: their differences, and their curves side by side."""
    from ryven_llm_nodes.run.records.history import find_run
    from ryven_llm_nodes.terminal.runs import show_runs

    with plain_errors():
        found = [find_run(folder, name) for name in which or []]
        if len(found) > 2 or ((open_flow or delete) and len(found) != 1):
            raise UsageError("give one RUN to show, to open with --edit or to --delete, or two to compare.")
        if open_flow:
            from ryven_llm_nodes.gui.editor import edit as open_editor

            raise typer.Exit(open_editor(found[0].folder))
        if delete:
            found[0].delete()
            typer.echo(f"deleted {found[0].folder}")
        else:
            show_runs(found, folder, Console(soft_wrap=True))


app.command()(install)
app.command()(demo)
app.command()(new)
app.command("import")(import_)
app.command()(docs)
app.command()(chat)
app.command()(mcp)
app.command()(compare)
app.command()(sweep)
app.command()(export)
app.command()(submit)
app.command()(plan)
