"""Commands to start with: `new`, a flow of a template or of data, `import`, one of a configuration, and `docs`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ryven_llm_nodes.cli.options import plain_errors
from ryven_llm_nodes.errors import UsageError

Output = Annotated[Optional[Path], typer.Option("--output", "-o", metavar="FLOW.json", help="File to write.")]


def new(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="TEMPLATE|DATA... [FLOW.json]",
            help="sft, dpo, grpo, methods (compares three), full (Llama-2-7b: all four), instructgpt, zephyr, tulu-3, "
            "r1-zero or reward-bakeoff; or data files and folders, with the folder of a model if one is to be trained. "
            "Then the file to write.",
        ),
    ],
    output: Output = None,
) -> None:
    """Write a flow to start from: a template, or one for your data, whose format is detected."""
    from ryven_llm_nodes.importing.data import from_data
    from ryven_llm_nodes.templates import TEMPLATES, project_from

    with plain_errors():
        given, place = _split(source, output)
        if len(given) == 1 and (given[0] in TEMPLATES or not _is_place(given[0])):
            _write(project_from(given[0]), place or Path(f"{given[0]}.json"))
            return
        paths = [Path(name) for name in given]
        place = place or Path(f"{paths[0].stem or 'data'}-flow.json")
        _free(place)
        started = from_data(paths, place.absolute().parent, place.stem)
        for line in started.says:
            typer.echo(line)
        _write(started.project, place)


def _is_place(name: str) -> bool:
    """Whether it can only mean a file or a folder."""
    return os.path.exists(name) or "." in name or os.sep in name


def _split(source: Sequence[str], output: Path | None) -> tuple[list[str], Path | None]:
    """What was given, and where to write: the last argument may be the file, which is not there yet."""
    *rest, last = source
    if output is None and rest and last.endswith(".json") and (len(rest) == 1 or not os.path.exists(last)):
        return list(rest), Path(last)
    return list(source), output


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="YAML of TRL, Axolotl or LLaMA-Factory, or an exported script.")
    ],
    output: Annotated[
        Optional[Path], typer.Argument(metavar="[FLOW.json]", help="File to write; default: FILE's name with .json.")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="Command of TRL that FILE is for: sft, dpo, grpo, rloo, kto or reward.")
    ] = "",
) -> None:
    """Make a flow of a configuration; whatever is not taken over is listed, with the reason and the remedy."""
    from ryven_llm_nodes.importing.files import imported
    from ryven_llm_nodes.terminal.display import show_findings

    with plain_errors():
        place = output or Path(f"{file.stem}.json")
        _free(place)
        found = imported(file, place.absolute().parent, method)
        show_findings(found.told)
        _write(found.project, place)
        left = sum(problem.weight == "warning" for problem in found.told)
        typer.echo(f"{found.format}: {left} not taken over" if left else f"{found.format}: everything taken over")


def docs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write to; new, or written by this.")],
) -> None:
    """Write the documentation of all nodes as Markdown, with an mkdocs.yml: `mkdocs build` makes a site of it."""
    from ryven_llm_nodes.terminal.docs import write_docs

    with plain_errors():
        count = write_docs(folder)
        typer.echo(f"wrote {count} pages to {folder}")
        typer.echo(f"next: pip install mkdocs-material; mkdocs build -f {folder / 'mkdocs.yml'}")


def _free(place: Path) -> None:
    if os.path.exists(place):  # unlike Path.exists, False for a name that is too long
        raise UsageError(f"{place} already exists; choose another name.")


def _write(project: Mapping[str, Any], place: Path) -> None:
    from ryven_llm_nodes.program.project import write_project

    _free(place)
    write_project(project, place)
    typer.echo(f"wrote {place}")
