"""How long reading, checking and exporting takes for flows of 10, 100 and 1,000 nodes: it should grow linearly.

Run by hand: ``python tests/benchmarks/bench_build.py``. A flow is a chain of trainers, two in three of them with a
branch (a DPO stage that has an earlier model as its reference), with LoRA and more settings than the defaults. All
files are local, so columns are read and model folders looked at. The best of several repeats counts.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import flows
import pytest

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, CombineRewards, LoRA, RewardFunction, SaveModel
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.program.project import write_project

REPEATS = 5
EXTRA = {
    "seed": 7,
    "logging_steps": 5,
    "report_to": ["none"],
    "run_name": "a 'long' name",
    "lr_scheduler_kwargs": {"a": 1},
}
KINDS = {"sft": SFT, "dpo": DPO, "grpo": GRPO, "ppo": PPO}


def large_flow(size: int) -> dict[str, Any]:
    """A flow with ``size`` nodes."""
    nodes = {"base": flows.BASE, **{f"{kind}_rows": rows for kind, rows in flows.ROWS.items()}}
    nodes |= {"lora": flows.node(LoRA), "final": flows.node(SaveModel)}
    wires, trained = [], ["base"]
    for i in range((size - len(nodes)) // 2):
        kind = list(KINDS)[i % 4]
        name, reward = f"{kind}_{i}", f"reward_{i}"
        nodes[name] = flows.node(KINDS[kind], **EXTRA)
        nodes[reward] = flows.node(RewardFunction, code=flows.REWARD) if i % 2 else flows.node(CombineRewards)
        wires += [f"{trained[-1]} -> {name}.model", f"{kind}_rows -> {name}.dataset", f"lora -> {name}.adapter"]
        if kind == "dpo":
            wires.append(f"{trained[len(trained) // 2]} -> {name}.reference")
        wires += _rewarded(nodes, kind, name, reward, i)
        trained.append(name)
    for i in range(size - len(nodes)):
        nodes[f"spare_{i}"] = flows.node(LoRA)
    return flows.draw(", ".join([*wires, f"{trained[-1]} -> final"]), "large", **nodes)


def _rewarded(nodes: dict[str, Any], kind: str, name: str, reward: str, i: int) -> list[str]:
    """The wires of a stage's reward. A combination takes the last function, or there would be nothing to combine."""
    wires = [f"{reward} -> {name}.reward"] if kind in ("ppo", "grpo") else []
    if not i % 2:
        first = next((n for n in reversed(list(nodes)) if nodes[n][0] is RewardFunction), None)
        if first is None:
            nodes[reward] = flows.node(RewardFunction, code=flows.REWARD)
        else:
            wires.append(f"{first} -> {reward}.reward_1")
    return wires


def best(work: Callable[[], Any]) -> float:
    """The shortest of several times, in milliseconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def refused(path: Path) -> None:
    """Checks a flow in which every trainer has a wrong value."""
    with pytest.raises(FlowError):
        build(read_flow(path))


def measure(size: int, folder: Path) -> tuple[float, ...]:
    """Times of reading, reading and building, checking a wrong flow, and exporting, in ms; and the script's lines."""
    good, wrong, out = folder / f"{size}.json", folder / f"wrong_{size}.json", folder / "sub"
    write_project(large_flow(size), good)
    bad = large_flow(size)
    for placed in bad["flows"]["large"]["nodes"]:
        placed["additional data"]["params"] |= {"seed": "x"} if "seed" in placed["additional data"]["params"] else {}
    write_project(bad, wrong)
    program = build(read_flow(good))
    assert len(program.steps) == size
    lines = program.script.text.count("\n")
    return (
        best(lambda: read_flow(good)),
        best(lambda: build(read_flow(good))),
        best(lambda: refused(wrong)),
        best(lambda: program.script_for(out)),
        lines,
    )


def main() -> None:
    """Prints the table."""
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{'nodes':>6} {'read':>9} {'build':>9} {'check':>9} {'export':>9} {'lines':>7}   (ms, best of {REPEATS})")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flows.write_data(folder)
        flows.write_hollow_model(folder / "model")
        for size in (10, 100, 1000):
            *times, lines = measure(size, folder)
            print(f"{size:>6} " + " ".join(f"{value:9.1f}" for value in times) + f" {lines:7.0f}")


if __name__ == "__main__":
    main()
