"""A node is one file: put into its folder it is listed, helped with, checked, exported, run and kept like all others.

Each file of ``tests/throwaway/`` is dropped into a copy of the package: a training method, a dataset, a node with two
outputs, and a stage that leaves a report. ``UPDATE_GOLDENS=1`` writes their goldens, which are lean scripts, anew.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from flows import FAST, neutral, write_data, write_hollow_model

TESTS: Final = Path(__file__).parents[1]
PACKAGE: Final = TESTS.parent / "ryven_llm_nodes"
GOLDENS: Final = TESTS / "goldens" / "throwaway"
ROWS: Final = [{"prompt": f"what is {i}", "completion": f" answer {i}", "label": i % 2 == 0} for i in range(16)]
BASE: Final = ("LoadModel", {"path": "model"})
LABELLED: Final = ("LoadDataset", {"path": "labelled.jsonl"})
SFT: Final = ("SFT", FAST)


@dataclass(frozen=True)
class Case:
    """A file: the folder and the group that it belongs to, its node, and a flow that shows it."""

    file: str
    folder: str
    group: str
    node: str
    wires: str
    nodes: dict[str, tuple[str, Any]] = field(default_factory=dict)


CASES: Final = [
    Case(
        "kto",
        "methods",
        "Trainers",
        "KTO",
        "base -> kto, rows -> kto, base -> kto.reference",
        {"base": BASE, "rows": LABELLED, "kto": ("KTO", {**FAST, "beta": 0.2})},
    ),
    Case(
        "written_rows",
        "sources",
        "Models and data",
        "WrittenRows",
        "base -> sft, written -> sft",
        {"base": BASE, "written": ("WrittenRows", {"rows": '{"text": "one"}\n{"text": "t\\u0075o"}'}), "sft": SFT},
    ),
    Case(
        "split_dataset",
        "sources",
        "Models and data",
        "SplitDataset",
        "rows -> split, base -> one, split -> one, base -> two, split.held_out -> two",
        {"base": BASE, "rows": LABELLED, "split": ("SplitDataset", {"share": 0.5}), "one": SFT, "two": SFT},
    ),
    Case(
        "mean_loss",
        "outputs",
        "Outputs",
        "MeanLoss",
        "base -> sft, rows -> sft, sft -> loss, rows -> loss",
        {"base": BASE, "rows": LABELLED, "sft": SFT, "loss": ("MeanLoss", {"limit": 4})},
    ),
]
TOGETHER: Final = (
    "base -> kto, written -> split, split.train -> kto, kto -> loss, split.held_out -> loss",
    {
        "base": BASE,
        "written": ("WrittenRows", {"rows": "\n".join(map(json.dumps, ROWS))}),
        "split": ("SplitDataset", {"share": 0.25}),
        "kto": ("KTO", {**FAST, "beta": 0.2}),
        "loss": ("MeanLoss", {}),
    },
)
"""All four in one flow: the outputs of the split go to two stages."""

DRAW: Final = """
import json, sys
from pathlib import Path
import flows
from ryven_llm_nodes import catalogue
wires, nodes, place = json.loads(sys.argv[1])
nodes = {name: flows.node(getattr(catalogue, kind), **given) for name, (kind, given) in nodes.items()}
flows.save(flows.draw(wires, **nodes), Path(place))
"""
LOOK: Final = """
import json, sys
from typer.testing import CliRunner
from ryven_llm_nodes.catalogue import ALL_NODES, GROUPS
from ryven_llm_nodes.cli import app
from ryven_llm_nodes.program import build, read_flow

def output(*arguments):
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.output

name, flow, script = sys.argv[2:]
print(json.dumps({
    "nodes": [node.__name__ for node in ALL_NODES],
    "groups": {title: [node.__name__ for node in nodes] for title, nodes in GROUPS.items()},
    "parameters": [p.name for node in ALL_NODES if node.__name__ == name for p in node.parameters],
    "help": output("nodes", name.lower()),
    "check": output("check", flow),
    "export": output("export", flow, "-o", script),
    "lean": build(read_flow(Path(flow))).script_for(Path(flow).parent, lean=True).text,
}))
"""
PALETTE: Final = """
import json
from PySide6.QtWidgets import QApplication
app = QApplication([])
from ryven_llm_nodes.catalogue import ALL_NODES
from ryven_llm_nodes.gui.canvas.node_gui import StageGUI
from ryven_llm_nodes.gui.window.node_palette import Palette
shown = [node.__name__ for node in Palette(ALL_NODES).shown()]
print(json.dumps([shown, [node.__name__ for node in ALL_NODES if issubclass(node.GUI, StageGUI)]]))
"""


def grown(folder: Path, *cases: Case) -> Path:
    """A folder to import from: in it a copy of the package into which the files of ``cases`` were dropped."""
    ignored = shutil.ignore_patterns("__pycache__")
    copy = Path(shutil.copytree(PACKAGE, folder / "grown" / PACKAGE.name, ignore=ignored))
    for case in cases:
        shutil.copy(TESTS / "throwaway" / f"{case.file}.py", copy / "catalogue" / case.folder)
    return copy.parent


def python(package: Path, *arguments: object, **env: str) -> str:
    """What Python prints where the package is the one in ``package``."""
    others = [entry for entry in sys.path if entry and Path(entry) != PACKAGE.parent]
    path = os.pathsep.join([str(package), str(TESTS), *others])
    env = {**os.environ, "PYTHONPATH": path, "COLUMNS": "100", "TERM": "dumb", "PYTHONWARNINGS": "ignore", **env}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=package, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


def drawn(wires: str, nodes: dict[str, Any], place: Path) -> str:
    """What the child draws, as its first argument."""
    return json.dumps([wires, nodes, str(place)])


def write_labelled(folder: Path) -> None:
    """Rows for KTO."""
    (folder / "labelled.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS), encoding="utf-8")


def body(script: str) -> str:
    """What stands between the imports and the support code: the nodes' own text."""
    return script.partition("# %% Support")[0].partition("ROOT = ")[2]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_one_file_is_all_it_takes(case: Case, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    write_data(work)
    write_hollow_model(work / "model")
    write_labelled(work)
    flow, script, golden = work / "flow.json", work / "script.py", GOLDENS / f"{case.file}.py"
    drawing = drawn(case.wires, case.nodes, flow)
    seen = json.loads(python(grown(tmp_path, case), "-c", DRAW + LOOK, drawing, case.node, flow, script))

    assert case.node in seen["nodes"]
    assert case.node in seen["groups"][case.group]
    assert all(name in seen["help"] for name in seen["parameters"])
    assert "no problems" in seen["check"]
    text, full = seen["lean"], script.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert neutral(text) == neutral(golden.read_text(encoding="utf-8"))
    assert body(full) == body(text), "what the script does is the same, in full and lean"


def test_no_golden_is_left_over() -> None:
    assert {file.stem for file in GOLDENS.glob("*.py")} == {case.file for case in CASES}


def test_the_editor_shows_them_all(tmp_path: Path) -> None:
    output = python(grown(tmp_path, *CASES), "-c", PALETTE, QT_QPA_PLATFORM="offscreen", QT_API="pyside6")
    shown, stages = json.loads(output.splitlines()[-1])
    assert {case.node for case in CASES} <= set(shown)
    assert set(stages) == {"SFT", "PPO", "DPO", "GRPO", "KTO", "MeanLoss"}
