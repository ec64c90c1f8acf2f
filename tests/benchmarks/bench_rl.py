"""A gym for RL methods: what PPO, GRPO, RLOO and TRL 1.12's PPO learn on small tasks, from equal completions.

Run by hand, on a quiet machine where processor time is to be compared:

    python tests/benchmarks/bench_rl.py --jobs 8 --old-python /path/to/trl112/bin/python
    python tests/benchmarks/bench_rl.py --table                     # from the results that are there
    python tests/benchmarks/bench_rl.py --quick                     # two tasks, two seeds, few completions
    python tests/benchmarks/bench_rl.py --tasks dense offset-5 --methods ppo 'no-kl=ppo:{"kl_coef": 0}' --out a.jsonl

Every finished run is a line in the file of results. A call does what the file does not have yet, so that it goes
on after an interruption; after a change of our PPO, its runs are done again. At equal processor time every method has
the time that the fastest one took in the mean, on one thread. The table names for each task the start (512
completions of the untrained model), the mean success of the last quarter of the completions with its 95 % interval
over seeds, and how many seeds ended below the start; next to it lies a picture of the learning curves.
"""

import argparse
import json
import sys
from pathlib import Path

from rl.methods import Method, method_of
from rl.picture import picture
from rl.report import comparison, table
from rl.runs import Cell, Place, cells_of, child, read, run_all
from rl.tasks import Task, shortened, tasks

QUICK = {"tasks": ["dense", "offset-5"], "seeds": 2, "completions": 128}
METHODS = ["ppo", "grpo", "rloo", "trl-1.12-ppo"]


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", help="names of tasks; all by default")
    parser.add_argument("--methods", nargs="+", default=METHODS, help='or NAME=KIND:{"setting": value} for a variant')
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--completions", type=int, help="of every task, instead of its own number")
    parser.add_argument("--jobs", type=int, default=1, help="tasks at a time, one thread each")
    parser.add_argument("--out", type=Path, default=Path("bench_rl/results.jsonl"), help="the file of results")
    parser.add_argument("--cache", type=Path, help="the folder of the tiny models; by default next to the results")
    parser.add_argument("--old-python", help="the Python of an environment with trl==1.12.0")
    parser.add_argument("--smollm", help="the folder of SmolLM2-135M, for the task `sums`, which is slow")
    parser.add_argument("--table", action="store_true", help="only print the table and draw the picture")
    parser.add_argument("--quick", action="store_true", help="a trial of the gym itself, in about a minute")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def chosen_tasks(options: argparse.Namespace, place: Place) -> list[Task]:
    """The tasks to do, with as many completions as were asked for."""
    known = tasks(place.cache, place.smollm)
    names = options.tasks or (QUICK["tasks"] if options.quick else list(known))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"--tasks: unknown: {', '.join(unknown)}. Known: {', '.join(known)} (sums: with --smollm).")
    count = options.completions or (QUICK["completions"] if options.quick else None)
    return [shortened(known[name], count or known[name].completions) for name in names]


def chosen_methods(options: argparse.Namespace) -> list[Method]:
    """The methods to do; TRL 1.12's only where its environment is given."""
    methods = [method_of(text) for text in options.methods]
    if options.old_python is None and any(method.kind == "trl-1.12-ppo" for method in methods):
        print("TRL 1.12's PPO is left out: --old-python names no environment with trl==1.12.0.")
        methods = [method for method in methods if method.kind != "trl-1.12-ppo"]
    return methods


def place_of(options: argparse.Namespace, out: Path) -> Place:
    """Where models and environments are, wherever a child is started."""
    smollm = str(Path(options.smollm).resolve()) if options.smollm else None
    old_python = str(Path(options.old_python).absolute()) if options.old_python else None
    return Place((options.cache or out.parent / "models").resolve(), smollm, old_python)


def report(cells: list[Cell], out: Path) -> None:
    """Print the table of these cells, and draw the picture, which lies next to the results."""
    finished = read(out)
    lines = [finished[cell.key] for cell in cells if cell.key in finished]
    print(f"\n{table(lines)}\n\n{comparison(lines)}")
    drawn = out.with_suffix(".svg")
    drawn.write_text(picture(lines))
    print(f"\nLearning curves: {drawn}")


def main() -> int:
    """Train what is missing, then report; the exit code is 1 where a run failed."""
    options = parsed()
    if options.child:
        sys.path.insert(0, str(Path(__file__).parents[2]))  # the package that is measured
        return min(1, child(json.loads(options.child)))
    out = options.out.resolve()
    place = place_of(options, out)
    methods = chosen_methods(options)
    seeds = QUICK["seeds"] if options.quick else options.seeds
    by_task = [cells_of(task, methods, seeds) for task in chosen_tasks(options, place)]
    failed = 0 if options.table else run_all(Path(__file__), by_task, place, out, options.jobs)
    report([cell for cells in by_task for cell in cells], out)
    return min(1, failed)


if __name__ == "__main__":
    sys.exit(main())
