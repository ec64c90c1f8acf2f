"""Assembles the cells into one script that reads as if written by hand for TRL."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from platform import python_version
from typing import Final

from ryven_llm_nodes import __version__
from ryven_llm_nodes.catalogue.cell import PIPELINE, Cell, call, indent, literal
from ryven_llm_nodes.catalogue.places import ROOT
from ryven_llm_nodes.errors import LLMNodesError, one_line
from ryven_llm_nodes.program.carried import flow_comment
from ryven_llm_nodes.program.environment import LINES
from ryven_llm_nodes.program.graph import Graph, Step
from ryven_llm_nodes.program.imports import Imports
from ryven_llm_nodes.program.names import identifier
from ryven_llm_nodes.program.project import project_of
from ryven_llm_nodes.program.requirements import LIBRARIES, installed, oldest_python, requirement
from ryven_llm_nodes.program.runtime_source import excerpts

MAIN_OPENING: Final = '''# %% The pipeline
def main(pipeline: "Pipeline") -> None:
    """Run every stage, each from the model folder of the previous one."""'''


@dataclass(frozen=True)
class Script:
    """The text of a program, and which lines belong to which step.

    ``definitions`` and ``statements`` map a step's name to its lines (first, last; from 1) at module level and in
    ``main()``.
    """

    text: str
    definitions: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    statements: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def cell_text(self, step: str) -> str:
        """What the script contains of one step: its definition, then its statement."""
        lines = self.text.split("\n")
        spans = [span for span in (self.definitions.get(step), self.statements.get(step)) if span]
        return "\n\n".join(_dedent(lines[first - 1 : last]) for first, last in spans)

    def step_at(self, line: int) -> str | None:
        """The step that a line belongs to."""
        for spans in (self.definitions, self.statements):
            for step, (first, last) in spans.items():
                if first <= line <= last:
                    return step
        return None


def _dedent(lines: list[str]) -> str:
    margin = "    " if all(line.startswith("    ") or not line.strip() for line in lines) else ""
    return "\n".join(line.removeprefix(margin) for line in lines)


class _Text:
    """Lines, and where each step's lines are."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, text: str, blank: int = 0) -> tuple[int, int]:
        """Appends ``text`` after ``blank`` empty lines; returns its first and last line."""
        self.lines += [""] * blank + text.split("\n")
        return len(self.lines) - text.count("\n"), len(self.lines)


REPLACED: Final = (
    ("pipeline", "Pipeline"),
    ("adapters", "save_merged"),
    ("reports", "make_report"),
    ("templates", "set_chat_template"),
)
CHECKPOINTED: Final = ("longer", "early_stopping")
"""The modules that need checkpoints."""
LEAN: Final = {(module, name): ("lean", name) for module, name in REPLACED}
"""What a lean script uses in place of the names that cells import from the runtime."""


DECIDED: Final = {("checkpoints", name): ("deciding", name) for name in ("newest_checkpoint", "is_finished")}
"""What a script for several processes uses in place of these names."""


def write_script(graph: Graph, cells: Mapping[str, Cell], folder: Path, lean: bool = False) -> Script:
    """The script of ``cells`` for a file in ``folder``. Raises LLMNodesError where the text would not compile."""
    imports = Imports(line for step in graph.order for line in cells[step.name].imports)
    imports.add(("import os", "from pathlib import Path", PIPELINE))
    imports.add(("import sys",) if _has_modules(cells) else ())
    goes_on = any(module in CHECKPOINTED for module, _ in imports.runtime)  # not in a lean script
    is_lean = lean and not goes_on
    replaced = (LEAN if is_lean else {}) | (DECIDED if _is_shared(graph) else {})
    support = excerpts(imports.runtime, replaced)
    further = Imports(line for excerpt in support for line in excerpt.imports).without(imports)
    text = _Text()
    packages = (imports.packages, further.packages, *(excerpt.packages for excerpt in support))
    text.add(_header(graph, set().union(*packages)))
    text.add(_imports(graph, cells, folder, imports), blank=1)
    definitions = {
        step.name: text.add(f"# %% {step.label}\n{cells[step.name].definition}", blank=2)
        for step in graph.order
        if cells[step.name].definition
    }
    statements = _main(text, graph, cells)
    text.add(f"# %% Support: what the rest of this script needs\n{further.text}", blank=2)
    for i, excerpt in enumerate(support):
        is_definition = excerpt.code.startswith(("def ", "class ", "@"))  # only these are two lines off imports
        text.add(f"# %% Support: {excerpt.title}\n{excerpt.code}", blank=2 if i or is_definition else 1)
    text.add(_guard(graph, cells), blank=2)
    text.add(flow_comment(project_of(graph, folder)), blank=2)
    script = Script("\n".join(text.lines) + "\n", definitions, statements)
    _compile(script)
    return script


def _is_shared(graph: Graph) -> bool:
    """Whether several processes run a stage together."""
    return any(graph.launch.of(step.name).total > 1 for step in graph.steps if step.node.is_stage)


def _compile(script: Script) -> None:
    try:
        compile(script.text, "<flow>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise LLMNodesError(f"the script of this flow does not compile ({error}); please report this flow.") from error


def _header(graph: Graph, packages: set[str]) -> str:
    used = [name for name in LIBRARIES if name in packages or name in ("torch", "accelerate")]
    pins = [f'#     "{requirement(name)}",' for name in used]
    versions = ", ".join(f"{name} {found}" for name in used if (found := installed(name)))
    flow = f"the flow {_plain(graph.title)!r}" + (f" of {_plain(graph.source)}" if graph.source else "")
    doc = "\n".join(
        (
            f'"""{_plain(graph.title)}: {" -> ".join(_methods(graph)) or "no training"}.',
            "",
            f"Written by ryven-llm-nodes {__version__} from {flow}",
            f"(sha256 {graph.digest})",
            f"with Python {python_version()}, {versions}.",
            "",
            "Run it with `python SCRIPT.py`, or on several GPUs with `accelerate launch SCRIPT.py`. Every stage",
            "writes its model to a folder of its own under --output-dir, and the next stage starts from there.",
            '"""',
        )
    )
    python = f'# requires-python = ">={oldest_python(used)}"'
    block = "\n".join(["# /// script", python, "# dependencies = [", *pins, "# ]", "# ///"])
    return f"{block}\n{doc}"


def _plain(text: str) -> str:
    """``text`` for a docstring: printable, without quotes and backslashes, and nothing that argparse would fill in."""
    return "".join(c for c in one_line(text) if c.isprintable() and c not in "\"'\\").replace("%(", "(")


def _methods(graph: Graph) -> Iterator[str]:
    return (step.node.title for step in graph.order if step.node.is_stage)


def _imports(graph: Graph, cells: Mapping[str, Cell], folder: Path, imports: Imports) -> str:
    lines = [
        "# %% Imports",
        imports.standard,
        "",
        "# Read when the libraries below are imported.",
        LINES,
        "",
        imports.others,
    ]
    if any(_uses_root(step, cells[step.name]) for step in graph.steps):
        root = os.path.relpath(graph.root.resolve(), folder.resolve())  # as __file__ is resolved below
        offset = "" if root == os.curdir else f" / {literal(Path(root).as_posix())}"
        where = f"ROOT = Path(__file__).resolve().parent{offset}"
        lines += ["", "# Relative paths of data and models are resolved here.", where]
        if _has_modules(cells):
            lines.append("sys.path.insert(0, str(ROOT))  # as are modules")
    return "\n".join(lines)


def _uses_root(step: Step, cell: Cell) -> bool:
    """Whether a step uses files next to the flow file, by a path in its cell or by an import of its own."""
    return bool(cell.modules) or ROOT in cell.statement or (ROOT in cell.definition and not step.node.holds_code)


def _has_modules(cells: Mapping[str, Cell]) -> bool:
    """Whether the user's code imports modules next to the flow file."""
    return any(cell.modules for cell in cells.values())


def _main(text: _Text, graph: Graph, cells: Mapping[str, Cell]) -> dict[str, tuple[int, int]]:
    text.add(MAIN_OPENING, blank=2)
    steps = [step for step in graph.order if cells[step.name].statement]
    read = {wire.step for step in graph.steps for wire in step.wires.values()}
    return {step.name: text.add(indent(_statement(step, cells[step.name], step.name in read))) for step in steps}


def _statement(step: Step, cell: Cell, is_read: bool) -> str:
    """The statement of ``step``; its value needs no name if nothing uses it."""
    return cell.statement if is_read or not step.node.leaves else cell.statement.removeprefix(f"{step.name} = ")


def _guard(graph: Graph, cells: Mapping[str, Cell]) -> str:
    stages = {step.name: cells[step.name].config or "None" for step in graph.order if step.node.is_stage}
    folder = literal(f"outputs/{identifier(graph.title, 'flow')}")
    made = call("Pipeline.from_command_line", "__doc__", folder, **stages)
    ended = "PartialState().destroy_process_group()"  # there is none in a single process
    return f'if __name__ == "__main__":\n{indent(f"main({made})")}\n{indent(ended)}'
