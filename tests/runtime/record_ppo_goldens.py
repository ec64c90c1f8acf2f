"""Records what TRL 1.12, the last release with a PPOTrainer, computes on fixed tensors.

Run by hand in an environment with trl==1.12.0; it writes goldens/ppo_trl_1_12.json beside itself:

    python tests/runtime/record_ppo_goldens.py

TRL computes rewards, advantages and losses in the middle of `PPOTrainer.train`, not in functions. So
the very lines are cut out of its source, between lines that mark them, and executed on our tensors.
"""

import inspect
import json
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import trl
from trl.experimental.ppo import ppo_trainer

GOLDEN = Path(__file__).parent / "goldens" / "ppo_trl_1_12.json"
SOURCE = inspect.getsource(ppo_trainer.PPOTrainer.train)
ROLLOUT = ("# be very careful with `padding_mask_p1`", "# Do multiple epochs of PPO training")
LOSS = ("new_logprobs = torch.masked_fill(", "loss = pg_loss + args.vf_coef * vf_loss")
VALUE = "vpred = vpred_temp"  # how TRL slices its value model's output: we start from the values
INPUTS = ("logprobs", "ref_logprobs", "values", "scores", "new_logprobs", "vpred")
OUTPUTS = ("kl", "rewards", "returns", "advantages", "pg_loss", "pg_clipfrac", "vf_loss", "vf_clipfrac")
CASES = {
    "k1": {"lengths": [6, 6, 6, 6]},
    "k3": {"lengths": [6, 6, 6, 6], "kl_estimator": "k3"},
    "whitened": {"lengths": [6, 6, 6, 6], "whiten_rewards": True},
    "undiscounted": {"lengths": [6, 6, 6, 6], "gamma": 1.0, "lam": 1.0, "kl_coef": 0.5},
    "early_eos": {"lengths": [6, 3, 1, 5]},
}
SETTINGS = {
    "kl_coef": 0.05,
    "kl_estimator": "k1",
    "whiten_rewards": False,
    "gamma": 0.99,
    "lam": 0.95,
    "cliprange": 0.2,
    "cliprange_value": 0.2,
    "vf_coef": 0.1,
}


def lines_between(start: str, end: str) -> str:
    """TRL's own lines from the one that contains `start` to the one before `end`."""
    lines = SOURCE.splitlines()
    first = next(i for i, line in enumerate(lines) if start in line)
    last = next(i for i, line in enumerate(lines) if end in line and i > first)
    return textwrap.dedent("\n".join(line for line in lines[first:last] if VALUE not in line))


def make_inputs(seed: int, rows: int, length: int) -> dict[str, torch.Tensor]:
    """A rollout (rows, length) and the log-probabilities and values of a policy that moved since."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    logprobs = -normal(rows, length).abs() - 0.5
    values = normal(rows, length)
    return {
        "logprobs": logprobs,
        "ref_logprobs": logprobs + 0.3 * normal(rows, length),
        "values": values,
        "scores": normal(rows),
        "new_logprobs": logprobs + 0.3 * normal(rows, length),
        "vpred": values + 0.3 * normal(rows, length),
    }


def run_trl(inputs: dict[str, torch.Tensor], lengths: list[int], settings: dict[str, Any]) -> dict[str, Any]:
    """TRL's rollout arithmetic, then its losses, in the namespace of its own module."""
    rows, length = inputs["logprobs"].shape
    names = {**vars(ppo_trainer), **{name: tensor.clone() for name, tensor in inputs.items()}}
    names["args"] = SimpleNamespace(**settings)
    names["responses"] = torch.zeros(rows, length)
    names["sequence_lengths"] = torch.tensor(lengths) - 1  # TRL's name for the position of the last token
    exec(lines_between(*ROLLOUT), names)
    everything = torch.arange(rows)
    names["micro_batch_inds"] = everything
    for ours, theirs in (("mb_advantage", "advantages"), ("mb_return", "returns"), ("mb_values", "values")):
        names[ours] = names[theirs]
    names["mb_logprobs"] = names["logprobs"]
    exec(lines_between(*LOSS), names)
    fraction = "pg_clipfrac = masked_mean((pg_losses2 > pg_losses).float(), ~padding_mask[micro_batch_inds])"
    exec(fraction, names)
    return {name: names[name].tolist() for name in OUTPUTS}


def main() -> None:
    cases = {}
    for seed, (name, case) in enumerate(CASES.items()):
        settings = {**SETTINGS, **{key: value for key, value in case.items() if key != "lengths"}}
        inputs = make_inputs(seed, len(case["lengths"]), 6)
        cases[name] = {
            "lengths": case["lengths"],
            "settings": settings,
            "inputs": {key: inputs[key].tolist() for key in INPUTS},
            "outputs": run_trl(inputs, case["lengths"], settings),
        }
    versions = {"trl": trl.__version__, "torch": torch.__version__}
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps({"versions": versions, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
