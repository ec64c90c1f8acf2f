"""What editing the last stage of four costs, against that stage alone: `python tests/benchmarks/bench_reuse.py MODEL`.

MODEL is a folder with a small model, such as the demo's SmolLM2-135M. Both sides are whole commands, with all imports.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import flows

from ryven_llm_nodes.catalogue import GRPO, PPO, SFT, LoadModel, RewardFunction

SHORT: dict[str, Any] = {**flows.FAST, "max_steps": 2, "learning_rate": 1e-6}
ROLLOUT: dict[str, Any] = {**SHORT, "max_completion_length": 32}


def last_stage(steps: int, learning_rate: float) -> Any:
    return flows.node(GRPO, **{**ROLLOUT, "max_steps": steps, "learning_rate": learning_rate}, num_generations=4)


def four(model: Path, steps: int, learning_rate: float) -> flows.Project:
    """SFT -> PPO -> DPO -> GRPO, of which the last is long."""
    dpo = flows.TRAINERS["dpo"][0]
    return flows.draw(
        "base -> sft, sft_rows -> sft, sft -> ppo, ppo_rows -> ppo, variety -> ppo, ppo -> dpo, dpo_rows -> dpo, "
        "sft -> dpo.reference, dpo -> grpo, ppo_rows -> grpo, variety -> grpo",
        "four",
        base=flows.node(LoadModel, path=str(model)),
        **{f"{method}_rows": flows.ROWS[method] for method in ("sft", "ppo", "dpo")},
        variety=flows.node(RewardFunction, code=flows.REWARD),
        sft=flows.node(SFT, **SHORT),
        ppo=flows.node(PPO, **ROLLOUT),
        dpo=flows.node(dpo, **SHORT),
        grpo=last_stage(steps, learning_rate),
    )


def alone(model: Path, steps: int, learning_rate: float) -> flows.Project:
    """The same last stage on the model that it starts from."""
    return flows.draw(
        "base -> grpo, ppo_rows -> grpo, variety -> grpo",
        "alone",
        base=flows.node(LoadModel, path=str(model)),
        ppo_rows=flows.ROWS["ppo"],
        variety=flows.node(RewardFunction, code=flows.REWARD),
        grpo=last_stage(steps, learning_rate),
    )


def run(drawn: flows.Project, folder: Path, output_dir: Path) -> tuple[float, str]:
    """Seconds of the whole command, and what it said."""
    flow = flows.save(drawn, folder / "flow.json")
    command = [
        sys.executable,
        "-m",
        "ryven_llm_nodes.cli",
        "run",
        str(flow),
        "--trust",
        "--output-dir",
        str(output_dir),
    ]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return time.monotonic() - began, done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    flows.write_data(folder)
    model = given.model.resolve()
    first, _ = run(four(model, given.steps, 1e-6), folder, folder / "out")
    print(f"all four stages: {first:.1f} s")
    for number in range(given.rounds):
        rate = 2e-6 + number * 1e-6
        edited, said = run(four(model, given.steps, rate), folder, folder / "out")
        reused = sum(": reused: " in line for line in said.splitlines())
        single, _ = run(alone(folder / "out" / "dpo", given.steps, rate), folder, folder / f"alone{number}")
        print(f"edited: {edited:.1f} s ({reused} reused)  alone: {single:.1f} s  ratio {edited / single:.3f}")


if __name__ == "__main__":
    main()
