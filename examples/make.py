"""Writes the examples anew: `python examples/make.py`, after the templates or the way scripts are written changed.

It also writes the rows that three-methods.json reads, from the documentation of the installed Python.
"""

import sys
from pathlib import Path
from typing import Any

from ryven_llm_nodes import templates
from ryven_llm_nodes.demo.branches import branches_flow, build_rows
from ryven_llm_nodes.demo.model import MODEL_ID
from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.program.project import write_project

DATA = "three-methods-data"


def main(folder: Path) -> None:
    """Writes flow and script of the full-size pipeline, and of three methods compared, to ``folder``."""
    write(templates.full(), folder / "llama-2-7b.json")
    build_rows(folder / DATA)
    write(branches_flow(MODEL_ID, DATA), folder / "three-methods.json")


def write(project: dict[str, Any], flow: Path) -> None:
    """Writes a flow, and its script next to it."""
    write_project(project, flow)
    flow.with_suffix(".py").write_text(build(read_flow(flow)).script_for(flow.parent).text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
