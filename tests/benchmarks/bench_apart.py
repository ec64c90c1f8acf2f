"""By hand: what a stage in a process of its own costs, beside one in the process of the run.

    python tests/benchmarks/bench_apart.py [ROUNDS]

A flow of four SFT stages in a row, and one of one, on a tiny model: the difference of their times is that of three
stages, whatever the start of a command costs. Rounds in turn, with and without ``--isolated``; and the time that an
interpreter takes for the imports of the stage's own script, which a process of its own has to do again.
"""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import flows
from flows import node

from ryven_llm_nodes.catalogue import SFT

PACKAGE = Path(__file__).parents[2]
STAGES = 4


def draw(folder: Path, stages: int) -> Path:
    """A flow of ``stages`` SFT stages, each of which trains what the one before has left."""
    names = [f"sft_{i}" for i in range(stages)]
    wires = [f"{before} -> {name}" for before, name in zip(["base", *names], names, strict=False)]
    nodes = {name: node(SFT, **flows.FAST) for name in names}
    rows = [f"sft_rows -> {name}" for name in names]
    drawn = flows.draw(", ".join([*wires, *rows]), f"of_{stages}", base=flows.BASE, sft_rows=flows.ROWS["sft"], **nodes)
    return flows.save(drawn, folder / f"of_{stages}.json")


def timed(command: Sequence[str], folder: Path) -> float:
    """Seconds of a command."""
    env = {**os.environ, "PYTHONPATH": str(PACKAGE), "HF_HUB_OFFLINE": "1"}
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=folder, env=env, check=True, capture_output=True)
    return time.perf_counter() - began


def a_stage(folder: Path, round_: int, *options: str) -> float:
    """Seconds of one stage in a run with ``options``."""
    whole = []
    for stages in (1, STAGES):
        out = f"out-{round_}-{stages}-{'-'.join(options)}"
        run = ["-m", "ryven_llm_nodes.cli", "run", f"of_{stages}.json", "--output-dir", out, *options]
        whole.append(timed(run, folder))
    return (whole[1] - whole[0]) / (STAGES - 1)


def write_imports(folder: Path) -> Path:
    """The import statements of the exported script."""
    script, imports = folder / "script.py", folder / "imports.py"
    timed(["-m", "ryven_llm_nodes.cli", "export", "of_1.json", "-o", str(script)], folder)
    lines = [
        ast.unparse(line)
        for line in ast.parse(script.read_text()).body
        if isinstance(line, ast.Import | ast.ImportFrom)
    ]
    imports.write_text("\n".join(lines))
    return imports


def main(rounds: str = "3") -> None:
    """Prints the medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flows.write_model(folder / "model")
        flows.write_data(folder)
        for stages in (1, STAGES):
            draw(folder, stages)
        imports = write_imports(folder)
        found: dict[str, list[float]] = {"in process": [], "isolated": [], "imports": []}
        for i in range(int(rounds)):
            found["in process"].append(a_stage(folder, i))
            found["isolated"].append(a_stage(folder, i, "--isolated"))
            found["imports"].append(timed([str(imports)], folder))
            print(
                f"round {i + 1}: " + ", ".join(f"{what} {values[-1]:.2f} s" for what, values in found.items()),
                flush=True,
            )
        over = [b - a - c for a, b, c in zip(*found.values(), strict=True)]
        print(f"a process of its own costs {statistics.median(over):.2f} s a stage over its imports")


if __name__ == "__main__":
    main(*sys.argv[1:])
