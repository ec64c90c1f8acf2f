"""By hand: how long a recipe takes, and what its evaluations find, with several seeds of its training.

    python tests/benchmarks/bench_recipes.py FOLDER_OF_SMOLLM2 OUTPUT [RECIPE ...] [--seeds 3]

Every run is a process of its own and trains everything again, data and evaluation apart. Printed is a line of Markdown
for each measure: the difference from the baseline (of reward models, which have none, the value), its mean over seeds
with a 95 % interval (Student's t), and in how many seeds the interval over the held-out rows excludes no effect. What
is finished is not done twice; its time is that of the first run, and stands in the file ``times.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from over_seeds import over_seeds

from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.program.project import write_project
from ryven_llm_nodes.recipes import RECIPES
from ryven_llm_nodes.run.comparing.found import is_evaluation

PACKAGE: Final = Path(__file__).parents[2]
HALF: Final = 0.5
"""How often a reward model that knows nothing prefers the chosen answer."""
Found = dict[tuple[str, str], tuple[float, bool]]
"""By evaluation and measure: the effect, and whether its interval over rows excludes none."""


def run(flow: Path, model: str, seed: int) -> tuple[Path, float]:
    """The output of a recipe with this seed of all its trainings, and the minutes that it took."""
    out = flow.parent / f"{flow.stem}-{seed}"
    program = build(read_flow(flow))
    trained = [step.name for step in program.steps if program.cells[step.name].config]
    given = [text for name in trained for text in ("--set", f"{name}.seed={seed}")]
    command = ["run", str(flow), "--output-dir", str(out), "--trust", "--set", f"base.path={model}", *given]
    env = {**os.environ, "PYTHONPATH": str(PACKAGE), "HF_HUB_OFFLINE": "1"}
    began = time.monotonic()
    with (flow.parent / f"{out.name}.log").open("a") as log:
        subprocess.run([sys.executable, "-m", "ryven_llm_nodes.cli", *command], env=env, check=True, stdout=log)
    return out, _first_time(flow.parent / "times.json", out.name, (time.monotonic() - began) / 60)


def _first_time(file: Path, name: str, minutes: float) -> float:
    """The minutes of the first run of that name, as kept in ``file``."""
    kept = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    kept.setdefault(name, minutes)
    file.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return kept[name]


def found(out: Path) -> Found:
    """What the evaluations of a run have found."""
    effects: Found = {}
    for report in sorted(out.glob("*/report.json")):
        if not is_evaluation(report.parent):  # a comparison of them
            continue
        told = json.loads(report.read_text("utf-8"))
        judged = {name: value for name, value in told["model"].items() if name.startswith("reward_accuracy/")}
        for name, value in (told.get("difference") or judged).items():
            none = 0.0 if "difference" in told else HALF
            shown = not value["low"] <= none <= value["high"]
            effects[report.parent.name, name] = value["value"], shown
    return effects


def lines(recipe: str, seeds: Mapping[int, tuple[Found, float]]) -> Iterator[str]:
    """The lines of a recipe in the table."""
    minutes = " ".join(f"{spent:.1f}" for _, spent in seeds.values())
    for evaluation, measure in next(iter(seeds.values()))[0]:
        values, shown = zip(*(effects[evaluation, measure] for effects, _ in seeds.values()), strict=True)
        cells = (f"`{recipe}`", evaluation, measure, over_seeds(values), f"{sum(shown)} of {len(shown)}", minutes)
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Runs what is missing, then prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    folder = options.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    print("| recipe | evaluation | measure | difference | seeds beyond chance | minutes |\n|---|---|---|---|---|---|")
    for recipe in options.recipes:
        flow = folder / f"{recipe}.json"
        write_project(RECIPES[recipe](), flow)
        done: dict[int, Any] = {}
        for seed in range(options.seeds):
            out, minutes = run(flow, str(options.model.resolve()), seed)
            done[seed] = found(out), minutes
        print("\n".join(lines(recipe, done)), flush=True)


if __name__ == "__main__":
    main()
