"""Writes the examples anew: `python examples/make.py`, after the templates or the way scripts are written changed."""

import sys
from pathlib import Path

from ryven_llm_nodes import templates
from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.program.project import write_project


def main(folder: Path) -> None:
    """Writes flow and script of the full-size pipeline to ``folder``."""
    flow = folder / "llama-2-7b.json"
    write_project(templates.full(), flow)
    flow.with_suffix(".py").write_text(build(read_flow(flow)).script_for(folder).text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
