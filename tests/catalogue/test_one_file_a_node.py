"""A node is one file: put into its folder it is listed, helped with, checked, exported, run and kept like all others.

Each file of ``tests/throwaway/`` is dropped into a copy of the package: a training method, a dataset, a node with two
outputs, a stage that leaves a report, and one whose report is rows to train on. ``UPDATE_GOLDENS=1`` writes their
goldens, which are lean scripts, anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from flows import FAST, neutral, write_data, write_model
from rotation import turn

TESTS: Final = Path(__file__).parents[1]
PACKAGE: Final = TESTS.parent / "ryven_llm_nodes"
GOLDENS: Final = TESTS / "goldens" / "throwaway"
TRIPLE: Final = {"chosen": " yes", "rejected": " no", "reference": " yes"}
ROWS: Final = [{"prompt": f"what is {i}", "completion": f" answer {i}", **TRIPLE} for i in range(16)]
BASE: Final = ("LoadModel", {"path": "model"})
TRIPLES: Final = ("LoadDataset", {"path": "triples.jsonl"})
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
        "tpo",
        "methods",
        "Trainers",
        "TPO",
        "base -> tpo, rows -> tpo",
        {"base": BASE, "rows": TRIPLES, "tpo": ("TPO", {**FAST, "beta": 0.2})},
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
        {"base": BASE, "rows": TRIPLES, "split": ("SplitDataset", {"share": 0.5}), "one": SFT, "two": SFT},
    ),
    Case(
        "mean_loss",
        "outputs",
        "Outputs",
        "MeanLoss",
        "base -> sft, rows -> sft, sft -> loss, rows -> loss",
        {"base": BASE, "rows": TRIPLES, "sft": SFT, "loss": ("MeanLoss", {"limit": 4})},
    ),
    Case(
        "answers",
        "sources",
        "Models and data",
        "Answers",
        "base -> answers, rows -> answers, base -> sft, answers -> sft",
        {"base": BASE, "rows": TRIPLES, "answers": ("Answers", {"tokens": 4}), "sft": SFT},
    ),
]
TOGETHER: Final = (
    "base -> tpo, written -> split, split.train -> tpo, tpo -> loss, split.held_out -> loss, "
    "tpo -> answers, split.held_out -> answers, base -> sft, answers -> sft",
    {
        "base": BASE,
        "written": ("WrittenRows", {"rows": "\n".join(map(json.dumps, ROWS))}),
        "split": ("SplitDataset", {"share": 0.25}),
        "tpo": ("TPO", {**FAST, "beta": 0.2}),
        "loss": ("MeanLoss", {}),
        "answers": ("Answers", {}),
        "sft": SFT,
    },
)
"""All in one flow: the outputs of the split go to several stages, and one trains on rows that another has made."""

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
    "lean": output("export", flow, "-o", f"{script}.lean.py", "--lean"),
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


def write_triples(folder: Path) -> None:
    """Rows for TPO."""
    (folder / "triples.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS), encoding="utf-8")


def body(script: str) -> str:
    """What stands between the imports and the support code: the nodes' own text."""
    return script.partition("# %% Support")[0].partition("ROOT = ")[2]


@pytest.mark.parametrize("case", turn(CASES, 2), ids=lambda case: case.file)
def test_one_file_is_all_it_takes(case: Case, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    write_data(work)
    write_model(work / "model")
    write_triples(work)
    flow, script, golden = work / "flow.json", work / "script.py", GOLDENS / f"{case.file}.py"
    drawing = drawn(case.wires, case.nodes, flow)
    seen = json.loads(python(grown(tmp_path, case), "-c", DRAW + LOOK, drawing, case.node, flow, script))

    assert case.node in seen["nodes"]
    assert case.node in seen["groups"][case.group]
    assert all(name in seen["help"] for name in seen["parameters"])
    assert "no problems" in seen["check"]
    text, full = (path.read_text(encoding="utf-8") for path in (Path(f"{script}.lean.py"), script))
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
    assert {"SFT", "PPO", "KTO", "TrainRewardModel", "TPO", "MeanLoss", "Answers"} <= set(stages)


def test_what_contributors_are_shown_is_the_file_that_is_tried() -> None:
    page = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"(?s)```python\n(.*?)```", page)
    assert shown in (TESTS / "throwaway" / "tpo.py").read_text(encoding="utf-8")
    assert all(f"{case.file}.py" in page for case in CASES)


RUN: Final = """
import json, sys
from pathlib import Path
from ryven_llm_nodes.program import apply_settings, build, read_flow
from ryven_llm_nodes.run import run_program

def run(*settings):
    events = []
    program = build(apply_settings(read_flow(Path(sys.argv[1])), settings))
    outcome = run_program(program, Path(sys.argv[2]), events.append)
    happened = [(type(event).__name__, event.step) for event in events]
    report = json.loads((outcome.reports["loss"] / "report.json").read_text())
    begun, reused = ([step for name, step in happened if name == wanted] for wanted in ("StageStarted", "StageReused"))
    assert set(outcome.models) == {"tpo", "sft"}
    return {"begun": begun, "reused": reused, "rows": report["rows"]}

print(json.dumps([run(), run("loss.limit=2"), run("tpo.beta=0.3", "loss.limit=2"), run()]))
"""
BESIDE: Final = "raise ImportError('the script must not need this package')\n"


def sha256(folder: Path) -> str:
    """Of the weights of a model."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture
def work(workspace: Path, tmp_path: Path) -> Path:
    """A folder with a tiny model and the flow of all four."""
    folder = Path(shutil.copytree(workspace, tmp_path / "work"))
    python(grown(tmp_path, *CASES), "-c", DRAW, drawn(*TOGETHER, folder / "flow.json"))
    return folder


@pytest.mark.slow
def test_they_are_run_kept_and_run_again_as_all_others_and_the_script_does_the_same(work: Path, tmp_path: Path) -> None:
    package, flow, out = tmp_path / "grown", work / "flow.json", tmp_path / "out"
    said = python(package, "-m", "ryven_llm_nodes.cli", "run", flow, "--output-dir", out)
    assert str(out / "tpo") in said
    assert str(out / "loss") in said
    assert sha256(out / "tpo") != sha256(work / "model")
    report = (out / "loss" / "report.json").read_text()
    assert json.loads(report)["rows"] == 4
    assert "report.json" in json.loads((out / "loss" / "stage.json").read_text())["files"]
    (record,) = (out / "run-records").glob("*/run.json")
    noted = json.loads(record.read_text())["stages"]["loss"]
    assert (noted["state"], noted["folder"]) == ("done", "loss")

    script = work / "script.py"
    python(package, "-m", "ryven_llm_nodes.cli", "export", flow, "-o", script)
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "ryven_llm_nodes.py").write_text(BESIDE)
    python(alone, script, "--output-dir", tmp_path / "script")
    for stage in ("tpo", "sft"):
        assert sha256(tmp_path / "script" / stage) == sha256(out / stage)
    assert len(json.loads((out / "answers" / "report.json").read_text())) == 4
    assert (tmp_path / "script" / "loss" / "report.json").read_text() == report
    again = python(alone, script, "--output-dir", tmp_path / "script", "--stage", "loss")
    assert again.splitlines()[-1] == f"loss: {tmp_path / 'script' / 'loss'}"
    assert "tpo:" not in again

    values, stages = ["base", "written", "split"], ["tpo", "loss", "answers", "sft"]
    assert json.loads(python(package, "-c", RUN, flow, out).splitlines()[-1]) == [
        {"begun": values, "reused": stages, "rows": 4},
        {"begun": [*values, "loss"], "reused": ["tpo", "answers", "sft"], "rows": 2},
        {"begun": [*values, *stages], "reused": [], "rows": 2},
        {"begun": values, "reused": stages, "rows": 4},
    ]
