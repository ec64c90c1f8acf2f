"""What loads what: nothing heavy with the catalogue, no Qt without the editor, and all nodes in Ryven."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ryven_llm_nodes.catalogue import ALL_NODES

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "trl", "datasets", "peft", "accelerate", "pyarrow", "numpy", "pandas")
QT = ("PySide6", "PySide2", "PyQt5", "PyQt6", "qtpy", "ryvencore_qt")


def python(code: str, *arguments: object, **env: str) -> str:
    """The output of ``code`` in a fresh interpreter. Raises AssertionError with its errors where it fails."""
    path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)])
    command = [sys.executable, "-c", code, *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": path, **env}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "ryven_llm_nodes",
        "ryven_llm_nodes.catalogue",
        "ryven_llm_nodes.program",
        "ryven_llm_nodes.cli",
        "ryven_llm_nodes.run",
        "ryven_llm_nodes.templates",
        "ryven_llm_nodes.terminal.display",
        "ryven_llm_nodes.host.session",
        "ryven_llm_nodes.host.required_packages",
    ],
)
def test_importing_loads_nothing_heavy_and_no_qt(module: str) -> None:
    loaded = json.loads(python(f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"))
    assert module in loaded
    assert {name.split(".")[0] for name in loaded} & {*HEAVY, *QT} == set()


def test_checking_and_exporting_a_full_flow_loads_nothing_heavy_either() -> None:
    code = """
import json, sys
from pathlib import Path
from ryven_llm_nodes import templates
from ryven_llm_nodes.program import build
from ryven_llm_nodes.program.project import graph_of_project
text = build(graph_of_project(templates.full(), Path())).script.text
print(json.dumps([len(text), sorted(sys.modules)]))
"""
    length, loaded = json.loads(python(code))
    assert length > 10_000
    assert {name.split(".")[0] for name in loaded} & {*HEAVY, *QT} == set()


def test_without_qt(tmp_path: Path) -> None:
    """As on a cluster: new, check and export work where no Qt can be imported."""
    code = f"""
import sys
for name in {QT!r}:
    sys.modules[name] = None  # importing it is an error
from ryven_llm_nodes.cli import app
flow, script = sys.argv[1:]
for command in (["new", "full", flow], ["check", "--quick", flow], ["export", flow, "-o", script], ["nodes", "ppo"]):
    app(command, standalone_mode=False)
try:
    import qtpy
except ImportError:
    print("no Qt")
"""
    output = python(code, tmp_path / "flow.json", tmp_path / "script.py")
    assert output.strip().endswith("no Qt")
    assert "no problems" in output
    compile((tmp_path / "script.py").read_text(), "script.py", "exec")


def test_the_parts_import_only_what_stands_below_them(tmp_path: Path) -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        lint = Path(shutil.which("lint-imports") or pytest.fail("import-linter is not installed"))
    path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)])
    command = [str(lint), "--config", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ryven_shows_all_nodes() -> None:
    """Ryven's own loader, without a window."""
    code = """
import os, sys
os.environ["RYVEN_MODE"] = "no-gui"
from ryven.main.packages.nodes_package import NodesPackage, import_nodes_package
nodes, data = import_nodes_package(NodesPackage(directory=sys.argv[1]))
print(" ".join(node.__name__ for node in nodes))
from ryvencore import Session
session = Session(gui=False)
session.register_node_types(nodes)
flow = session.create_flow("f")
made = [flow.create_node(node) for node in nodes]
print(len(made), sorted(node.identifier for node in nodes)[0])
"""
    names, count = python(code, ROOT / "ryven_llm_nodes", RYVEN_MODE="no-gui").splitlines()[-2:]
    assert names.split() == [node.__name__ for node in ALL_NODES]
    assert count == f"{len(ALL_NODES)} {min(f'ryven_llm_nodes.{node.__name__}' for node in ALL_NODES)}"
