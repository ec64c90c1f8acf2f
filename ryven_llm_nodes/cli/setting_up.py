"""The commands `ryven-llm install` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ryven_llm_nodes.cli.options import plain_errors


def install(
    folder: Annotated[
        Optional[Path], typer.Argument(help="Ryven's folder of packages (default: ~/.ryven/nodes).")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the package from Ryven.")] = False,
) -> None:
    """Make the nodes appear in a stock Ryven."""
    from ryven_llm_nodes.host import install as ryven

    with plain_errors():
        place = ryven.uninstall(folder) if remove else ryven.install(folder)
        if remove:
            typer.echo(f"removed {place}")
            return
        typer.echo(f"Ryven now finds the nodes in {place}")
        typer.echo(ryven.HOW_TO_START.format(file=place / "nodes.py"))


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for flow, data, models and script.")] = Path("ryven-llm-demo"),
) -> None:
    """Train SmolLM2-135M through SFT, PPO, DPO and GRPO on text that ships with Python, and show what it gained."""
    from ryven_llm_nodes.demo.story import run_demo

    with plain_errors():
        run_demo(folder)
