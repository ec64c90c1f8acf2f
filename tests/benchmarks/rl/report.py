"""What the results say: success at equal completions and at equal processor time, with intervals over seeds."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Curve = list[tuple[int, float, float]]
"""Completions so far, seconds of processor time so far, mean success of the rollout."""

T_97_5 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
"""The 97.5 % quantile of Student's t distribution for 1 to 20 degrees of freedom."""


def half_width(values: list[float]) -> float:
    """Half of the 95 % interval of a mean; infinite for one value. Beyond 21 values the quantile is that of 21."""
    if len(values) < 2:
        return float("inf")
    quantile = T_97_5[min(len(values) - 1, len(T_97_5)) - 1]
    return quantile * statistics.stdev(values) / len(values) ** 0.5


def last_quarter(curve: Curve) -> float:
    """The mean success of the last quarter of the completions: of the rollouts that lie in it, at least of one."""
    return statistics.mean(success for _, _, success in curve[-max(1, len(curve) // 4) :])


def until(curve: Curve, seconds: float) -> Curve:
    """The part of a curve that this much processor time gave: at least its first rollout."""
    return [point for point in curve if point[1] <= seconds] or curve[:1]


@dataclass(frozen=True)
class Row:
    """What the seeds of a method on a task say."""

    task: str
    method: str
    start: float
    finals: dict[int, float]  # by seed, at equal completions
    timed: dict[int, float]  # by seed, at the processor time of the fastest method
    seconds: float  # mean processor time

    @property
    def collapsed(self) -> int:
        """The number of seeds that ended below the start."""
        return sum(final < self.start for final in self.finals.values())


def grouped(lines: Iterable[dict[str, Any]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The runs by task and method; the untrained model is a method too."""
    groups: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        groups[line["task"]][line["method"]].append(line)
    return groups


def rows_of(task: str, methods: dict[str, list[dict[str, Any]]]) -> list[Row]:
    """The rows of a task, a method each."""
    runs = {name: lines for name, lines in methods.items() if name != "untrained"}
    seconds = {name: statistics.mean(line["seconds"] for line in lines) for name, lines in runs.items()}
    firsts = [line["curve"][0][2] for lines in runs.values() for line in lines]
    starts = [line["start"] for line in methods.get("untrained", ())] or firsts
    rows = []
    for name, lines in runs.items():
        finals = {line["seed"]: last_quarter(line["curve"]) for line in lines}
        timed = {line["seed"]: last_quarter(until(line["curve"], min(seconds.values()))) for line in lines}
        rows.append(Row(task, name, statistics.mean(starts), finals, timed, seconds[name]))
    return rows


def mean_text(values: Iterable[float]) -> str:
    """A mean with its interval."""
    found = list(values)
    width = half_width(found)
    return f"{statistics.mean(found):.3f} ± {width:.3f}" if width != float("inf") else f"{found[0]:.3f}"


def table(lines: list[dict[str, Any]]) -> str:
    """The table of all tasks and methods, in Markdown."""
    found = [
        "| task | method | start | equal completions | equal processor time | s | seeds | below start |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task, methods in grouped(lines).items():
        for row in rows_of(task, methods):
            cells = [row.task, row.method, f"{row.start:.3f}", mean_text(row.finals.values())]
            cells += [mean_text(row.timed.values()), f"{row.seconds:.0f}", str(len(row.finals)), str(row.collapsed)]
            found.append("| " + " | ".join(cells) + " |")
    return "\n".join(found)


def comparison(lines: list[dict[str, Any]], ours: str = "ppo") -> str:
    """How far `ours` is ahead of each other method at equal completions, seed by seed, in Markdown."""
    found = [f"| task | {ours} minus | difference | ratio of means |", "|---|---|---|---|"]
    for task, methods in grouped(lines).items():
        rows = {row.method: row for row in rows_of(task, methods)}
        for name, other in rows.items():
            if ours not in rows or name == ours:
                continue
            seeds = sorted(rows[ours].finals.keys() & other.finals.keys())
            pairs = [(rows[ours].finals[seed], other.finals[seed]) for seed in seeds]
            if pairs:
                found.append(f"| {task} | {name} | {mean_text(a - b for a, b in pairs)} | {ratio(pairs)} |")
    return "\n".join(found)


def ratio(pairs: list[tuple[float, float]]) -> str:
    """The ratio of the means of pairs; a dash where the second one is 0."""
    first, second = (statistics.mean(side) for side in zip(*pairs, strict=True))
    return f"{first / second:.2f}" if second else "-"
