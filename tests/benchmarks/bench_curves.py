"""How long the window stands still for curves that grow: ours, and pyqtgraph's where it is installed.

    python tests/benchmarks/bench_curves.py [--plots 6] [--points 5000] [--seconds 10] [--busy]

Each plot has a curve, the ghost of an earlier run and an average, and is updated ten times a second with new points,
one plot after the other as the dock does it. A timer of 10 ms ticks meanwhile; what is reported is the time between
its ticks, and how long it takes to make the plots with all their points. ``--busy`` has a thread of Python compete, as
a training loop does. No more than 16 ms at p99 and 100 ms at most keep within the limits of ``bench_stalls.py``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("QT_API", "pyside6")
if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

TICK_MS, REDRAW_MS, SPREAD_MS, NEW = 10, 100, 8, 5
SIZE = (900, 300)
Points = list[tuple[int, float]]


def noisy(count: int, seed: int) -> Points:
    """A loss that falls, with noise."""
    draw = random.Random(seed)
    return [(step, 3 * math.exp(-step / count * 3) + draw.gauss(0, 0.1)) for step in range(count)]


def ours(plots: int, points: int) -> tuple[Any, Callable[[int, int], None]]:
    """A window of our plots, and what updates one of them."""
    from qtpy.QtWidgets import QGridLayout, QWidget

    from ryven_llm_nodes.gui.curves.plot import CurvePlot
    from ryven_llm_nodes.gui.curves.series import Curve, Series

    window = QWidget()
    grid = QGridLayout(window)
    made = []
    for place in range(plots):
        plot, present = CurvePlot(f"metric {place}"), noisy(points, place)
        series = Series(present, 0.9)
        ghost = Series(noisy(points, place + 100), 0.9)
        plot.set_curves([Curve("sft", "", ghost, earlier=True), Curve("sft", "#4ea1ff", series)])
        grid.addWidget(plot, *divmod(place, 3))
        made.append((plot, present, series))

    def update(place: int, last: int) -> None:
        plot, present, series = made[place]
        present.extend((last + i, random.gauss(1, 0.1)) for i in range(NEW))
        series.catch_up()
        plot.set_curves(plot.curves)
        plot.update()

    return window, update


def theirs(plots: int, points: int) -> tuple[Any, Callable[[int, int], None]]:
    """A window of pyqtgraph's plots, set to draw as little as it can, and what updates one of them."""
    import numpy
    import pyqtgraph

    window = pyqtgraph.GraphicsLayoutWidget()
    made = []
    for place in range(plots):
        plot = window.addPlot(*divmod(place, 3), title=f"metric {place}")
        plot.setDownsampling(auto=True, mode="peak")
        plot.setClipToView(True)
        present = numpy.array(noisy(points, place))
        plot.plot(numpy.array(noisy(points, place + 100)), pen=pyqtgraph.mkPen("#5a6572", width=1))
        raw = plot.plot(present, pen=pyqtgraph.mkPen("#4ea1ff46", width=1))
        smooth = plot.plot(present, pen=pyqtgraph.mkPen("#4ea1ff", width=1))
        made.append([present, raw, smooth])

    def update(place: int, last: int) -> None:
        present, raw, smooth = made[place]
        new = [(last + i, random.gauss(1, 0.1)) for i in range(NEW)]
        present = made[place][0] = numpy.concatenate((present, new))
        raw.setData(present)
        mean = numpy.convolve(present[-points:, 1], numpy.full(10, 0.1), mode="same")
        smooth.setData(present[-points:, 0], mean)

    return window, update


def compete(stop: threading.Event) -> None:
    """Python and numbers in turns, as a training loop has the interpreter."""
    import numpy

    matrix = numpy.random.default_rng(0).normal(size=(200, 200))
    while not stop.is_set():
        sum(i * i for i in range(2000))
        matrix = matrix @ matrix.T / 200


def measure(kind: str, options: argparse.Namespace) -> dict[str, float]:
    """What the timer saw."""
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtWidgets import QApplication

    import ryven_llm_nodes.program  # noqa: F401  # the editor has it long since

    app = QApplication([])
    before = time.perf_counter()
    importlib.import_module("pyqtgraph" if kind == "pyqtgraph" else "ryven_llm_nodes.gui.curves.plot")
    imported = time.perf_counter()
    window, update = {"ours": ours, "pyqtgraph": theirs}[kind](options.plots, options.points)
    window.resize(*SIZE)
    window.show()
    app.processEvents()
    shown = time.perf_counter()
    gaps, spent = _tick(app, update, options, Qt.TimerType.PreciseTimer, QTimer)
    return {
        "import ms": (imported - before) * 1000,
        "first shown ms": (shown - imported) * 1000,
        "median": statistics.median(gaps),
        "p99": gaps[int(len(gaps) * 0.99)],
        "longest": gaps[-1],
        "over 16 ms": sum(gap > 16 for gap in gaps) / len(gaps),
        "cpu share": spent,
    }


def _tick(app: Any, update: Callable[..., None], options: argparse.Namespace, kind: Any, timer_of: Any) -> Any:
    gaps: list[float] = []
    last, steps = time.perf_counter(), [options.points] * options.plots

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        gaps.append((now - last) * 1000)
        last = now

    def grow(place: int) -> None:
        update(place, steps[place])
        steps[place] += NEW

    def redraw() -> None:
        for place in range(options.plots):
            timer_of.singleShot(place * SPREAD_MS, lambda place=place: grow(place))

    timers = []
    for interval, call in ((TICK_MS, tick), (REDRAW_MS, redraw)):
        timer = timer_of(interval=interval, timerType=kind)
        timer.timeout.connect(call)
        timer.start()
        timers.append(timer)
    stop = threading.Event()
    if options.busy:
        threading.Thread(target=compete, args=(stop,), daemon=True).start()
    timer_of.singleShot(round(options.seconds * 1000), app.quit)
    began, cpu = time.perf_counter(), time.thread_time()
    app.exec()
    spent = (time.thread_time() - cpu) / (time.perf_counter() - began)
    stop.set()
    return sorted(gaps[1:]), spent


def main() -> int:
    """Prints a line a kind, each from a process of its own; status 1 where ours does not keep a limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plots", type=int, default=6)
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--kind", choices=("ours", "pyqtgraph"), help="this one only, here")
    options = parser.parse_args()
    if options.kind is None:
        kinds = ["ours", *(["pyqtgraph"] if importlib.util.find_spec("pyqtgraph") else [])]
        done = [subprocess.run([sys.executable, *sys.argv, "--kind", kind], check=False) for kind in kinds]
        return done[0].returncode
    result = measure(options.kind, options)
    print(json.dumps({"kind": options.kind, **{name: round(value, 2) for name, value in result.items()}}))
    sys.stdout.flush()
    os._exit(int(result["p99"] > 16 or result["longest"] > 100))


if __name__ == "__main__":
    sys.exit(main())
