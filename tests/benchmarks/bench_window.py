"""How long it takes until the window is shown: Ryven alone, and with this package.

    python tests/benchmarks/bench_window.py [--rounds 7]

Both are started in turn, each in a process of its own, and timed from the start of that process until its window has
been painted. The one must not take more than 1.15 times as long as the other, and must not import torch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1.15

SHOWN = """
import json, os, sys, time
def shown(window, app):
    while not window.windowHandle().isExposed():
        app.processEvents()
    app.processEvents()
    seconds = time.clock_gettime(time.CLOCK_MONOTONIC) - float(os.environ["STARTED"])
    heavy = sorted({"torch", "transformers", "trl", "datasets"} & set(sys.modules))
    print(json.dumps({"seconds": seconds, "heavy": heavy}))
    sys.stdout.flush()
    os._exit(0)
"""
ALONE = """
os.environ["QT_API"] = "pyside6"
from PySide6.QtWidgets import QApplication
app = QApplication([])
from ryven.main.Ryven import run
shown(run(qt_app=app, use_sysargs=False, show_dialog=False, qt_api="pyside6"), app)
"""
OURS = """
from ryven_llm_nodes.gui import editor
from ryven_llm_nodes.host import opening
content = opening.open_new({template!r}).content
app = editor.application()
shown(editor.open_window(content, app), app)
"""
CASES = {
    "Ryven alone": ALONE,
    "with this package": OURS.format(template=None),
    "with the template 'sft'": OURS.format(template="sft"),
}


def measure(code: str) -> dict[str, object]:
    """One start in a fresh process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STARTED": str(time.clock_gettime(time.CLOCK_MONOTONIC))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode, as Ryven has
    if not environment.get("DISPLAY"):
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    done = subprocess.run([sys.executable, "-c", SHOWN + code], env=environment, capture_output=True, text=True)
    line = next((line for line in done.stdout.splitlines() if line.startswith('{"seconds"')), None)
    if line is None:
        sys.exit(done.stdout + done.stderr)
    return json.loads(line)


def main() -> int:
    """Prints a table; status 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for code in CASES.values():
        measure(code)  # fills the caches of disk and bytecode
    results: dict[str, list[dict[str, object]]] = {name: [] for name in CASES}
    for _ in range(rounds):
        for name, code in CASES.items():
            results[name].append(measure(code))
    median = {name: statistics.median(float(r["seconds"]) for r in runs) for name, runs in results.items()}
    heavy = sorted({str(module) for runs in results.values() for run in runs for module in run["heavy"]})
    for name, seconds in median.items():
        ratio = seconds / median["Ryven alone"]
        spread = sorted(round(float(r["seconds"]), 2) for r in results[name])
        print(f"{name:24} {seconds:6.3f} s   {ratio:5.2f} x   {spread}")
    print(f"imported of torch, transformers, trl, datasets: {', '.join(heavy) or 'nothing'}")
    return int(median["with this package"] > LIMIT * median["Ryven alone"] or bool(heavy))


if __name__ == "__main__":
    sys.exit(main())
