"""By hand: does a policy that was trained against a reward model also please a second one, trained on other pairs?

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_judges.py FOLDER_OF_SMOLLM2 OUTPUT [SEEDS_OF_PPO [OF_THE_OTHERS]]

SFT of SmolLM2-135M, two reward models from disjoint pairs, then PPO, GRPO and RLOO against the first one with an equal
number of completions and the same KL coefficient. Each policy is measured by both reward models, and by a function
that says what the pairs were to teach, against the SFT model on held-out prompts (Evaluate node, paired). The seed is
that of the three RL stages; everything before them is trained once. The KL that a method has spent is the mean over
the measured completions of the sum of log-probability ratios of their tokens to the SFT model, in nats.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from over_seeds import over_seeds

from ryven_llm_nodes.catalogue import (
    GRPO,
    PPO,
    RLOO,
    SFT,
    CombineRewards,
    Evaluate,
    LLMNode,
    LoadDataset,
    LoadModel,
    LoRA,
    RewardFunction,
    TrainRewardModel,
)
from ryven_llm_nodes.demo import branches, settings
from ryven_llm_nodes.demo.data import row_of, write_rows
from ryven_llm_nodes.demo.docs import documented_items
from ryven_llm_nodes.demo.rewards import PPO_REWARD_NAME as STATED
from ryven_llm_nodes.demo.rewards import PPO_REWARD_SOURCE
from ryven_llm_nodes.program.project import Placement, project, write_project

PACKAGE: Final = Path(__file__).parents[2]
METHODS: Final = ("ppo", "grpo", "rloo")
PAIRS: Final = 160
"""Of each reward model."""
KL_COEFFICIENT: Final = 0.02
RL: Final = {"max_steps": 24}
WITH_GROUPS: Final = {**settings.GRPO, **RL, "reward_threshold": None, "beta": KL_COEFFICIENT}
WITHOUT_THRESHOLD: Final = {name: value for name, value in WITH_GROUPS.items() if name != "reward_threshold"}
SAMPLED: Final = {"temperature": 0.7, "max_completion_length": 32, "batch_size": 32}


def write_all_rows(folder: Path) -> None:
    """The rows of the comparison of three methods, and as many pairs again about items that no other row is about."""
    branches.build_rows(folder)
    items = documented_items()
    random.Random(0).shuffle(items)
    used = sum(count for _, count in branches.ROWS.values())
    rng = random.Random("other pairs")
    write_rows(folder / "other.jsonl", [row_of("preferences", item, rng) for item in items[used : used + PAIRS]])


def flow(model: str) -> dict[str, Any]:
    """The flow, over the rows in the folder ``rows`` next to it."""
    kinds: dict[str, tuple[type[LLMNode], Mapping[str, Any]]] = {
        "base": (LoadModel, {"path": model}),
        "lora": (LoRA, settings.LORA),
        **{name: (LoadDataset, {"path": f"rows/{name}.jsonl"}) for name in (*branches.ROWS, "other")},
        "sft": (SFT, settings.SFT),
        **dict.fromkeys(("judge", "second"), (TrainRewardModel, branches.SETTINGS["judge"])),
        STATED: (RewardFunction, {"code": PPO_REWARD_SOURCE}),
        "measures": (CombineRewards, {}),
        "ppo": (PPO, {**settings.PPO, **RL, "kl_coef": KL_COEFFICIENT}),
        "grpo": (GRPO, WITH_GROUPS),
        "rloo": (RLOO, WITHOUT_THRESHOLD),
        **{f"after_{method}": (Evaluate, SAMPLED) for method in METHODS},
    }
    nodes = [Placement(name, kind, given, i % 5, i // 5) for i, (name, (kind, given)) in enumerate(kinds.items())]
    return project("judges", nodes, list(_wires()))


def _wires() -> Iterator[str]:
    yield from ("base.model -> sft.model", "answers.dataset -> sft.dataset")
    yield from ("sft.model -> judge.model", "preferences.dataset -> judge.dataset")
    yield from ("sft.model -> second.model", "other.dataset -> second.dataset")
    yield from (f"lora.adapter -> {trainer}.adapter" for trainer in ("sft", "judge", "second", *METHODS))
    for slot, reward in enumerate(("judge", "second", STATED), 1):
        yield f"{reward}.reward -> measures.reward_{slot}"
    for method in METHODS:
        yield from (f"sft.model -> {method}.model", f"prompts.dataset -> {method}.dataset")
        yield from (f"judge.reward -> {method}.reward", f"{method}.model -> after_{method}.model")
        yield from (f"sft.model -> after_{method}.baseline", f"held_out.dataset -> after_{method}.dataset")
        yield f"measures.reward -> after_{method}.reward"


def run(folder: Path, method: str, seed: int) -> Path:
    """The output of the flow with this seed of the RL stages; what an earlier run has trained alike is reused."""
    out = folder / "outputs"
    given = [text for name in METHODS for text in ("--set", f"{name}.seed={seed}")]
    command = ["run", str(folder / "judges.json"), "--output-dir", str(out), "--trust", "--to", f"after_{method}"]
    env = {**os.environ, "PYTHONPATH": str(PACKAGE), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-m", "ryven_llm_nodes.cli", *command, *given], env=env, check=True)
    return out


def spent(out: Path, method: str, rows: list[dict[str, Any]], completions: list[str]) -> float:
    """The KL divergence of a policy to the SFT model, estimated on its own completions, in nats per completion."""
    from ryven_llm_nodes.runtime.evaluation import Measured

    said = [{"prompt": row["prompt"], "completion": [{"role": "assistant", "content": text}]}
            for row, text in zip(rows, completions, strict=True)]  # fmt: skip
    totals = []
    for stage in (method, "sft"):
        measured = Measured(str(out / stage), batch_size=16)
        totals.append([total for total, _ in measured.log_likelihoods([measured.tokens(row) for row in said])])
    return fmean(policy - reference for policy, reference in zip(*totals, strict=True))


def measured(out: Path, method: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Each measure's difference from the SFT model, with its interval over rows, and the KL spent."""
    report = json.loads((out / f"after_{method}" / "report.json").read_text("utf-8"))
    return {**report["difference"], "kl": spent(out, method, rows, report["model"]["completions"])}


def table(found: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[str]:
    """As Markdown: a line a method; beside it, in how many seeds the second model's interval over rows excludes 0."""
    names = [f"reward/{name}" for name in ("judge", "second", STATED)]
    yield "| method | seeds | trained against | second reward model | interval above 0 | stated aim | KL, nats |"
    yield "|---|---|---|---|---|---|---|"
    for method, of in found.items():
        first, second, stated = (over_seeds([one[name]["value"] for one in of]) for name in names)
        above = sum(one[names[1]]["low"] > 0 for one in of)
        kl = over_seeds([one["kl"] for one in of])
        yield f"| {method} | {len(of)} | {first} | {second} | {above} of {len(of)} | {stated} | {kl} |"


def main(model: str, output: str, seeds: str = "5", others: str = "2") -> None:
    """Train and measure, a seed after the other, then print the table; what is finished is not done twice."""
    folder = Path(output).resolve()
    write_all_rows(folder / "rows")
    write_project(flow(str(Path(model).resolve())), folder / "judges.json")
    rows = [json.loads(line) for line in (folder / "rows/held_out.jsonl").read_text("utf-8").splitlines()]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for method in METHODS:
        for seed in range(int(seeds if method == "ppo" else others)):
            out = run(folder, method, seed)
            found.setdefault(method, []).append(measured(out, method, rows))
            print("\n".join(table(found)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
