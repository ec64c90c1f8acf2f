"""Rewards by the names that TRL's command line and Axolotl give them, as nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ryven_llm_nodes.catalogue import MathAccuracy, OverlongPunishment, RewardFunction, RewardModel, ThinkFormat
from ryven_llm_nodes.importing.keys import Keys
from ryven_llm_nodes.importing.places import Places
from ryven_llm_nodes.importing.plan import Made, Plan

REWARDS: Final[Mapping[str, Made]] = {
    "accuracy_reward": (MathAccuracy, {}),
    "think_format_reward": (ThinkFormat, {}),
    "get_soft_overlong_punishment": (OverlongPunishment, {"max_completion_len": 1280, "soft_punish_cache": 256}),
}
"""What ``trl/scripts/grpo.py`` knows by name."""
NONE: Final = "names no reward that can be taken over; write one in the Reward Function node."


def take_rewards(keys: Keys, places: Places, plan: Plan) -> None:
    """The reward model, then the functions, as TRL orders them; their weights go to the node that adds them up."""
    if model := keys.text("reward_model_name_or_path"):
        plan.rewards.append((RewardModel, {"path": places.of(model)}))
    given = keys.take("reward_funcs", [])
    for name in given if isinstance(given, list) else [given]:
        if (reward := _reward(keys, str(name))) is not None:
            plan.rewards.append(reward)
    weights = keys.given.get("reward_weights")
    if isinstance(weights, list) and len(weights) == len(plan.rewards) > 1:
        plan.weights = [float(weight) for weight in keys.take("reward_weights")]
    if not plan.rewards:
        keys.leave("reward_funcs", NONE)
        plan.rewards.append((RewardFunction, {}))


def _reward(keys: Keys, name: str) -> Made | None:
    if name in REWARDS:
        return REWARDS[name]
    if name == "reasoning_accuracy_reward":
        return RewardFunction, {"code": _calling("trl.rewards", name, "completions, solution")}
    module, _, function = name.rpartition(".")
    if module and name.isascii() and all(part.isidentifier() for part in name.split(".")):
        keys.note("reward_funcs", f"{name} is imported by a Reward Function; its module must lie next to the flow.")
        return RewardFunction, {"code": _calling(module, function, "prompts, completions")}
    keys.leave("reward_funcs", f"{name!r} is no reward of TRL; write it in a Reward Function node.")
    return None


def _calling(module: str, function: str, arguments: str) -> str:
    """The text of a reward function that calls another; nothing of it is imported before a run."""
    passed = ", ".join(f"{name}={name}" for name in arguments.split(", "))
    return (
        f"import {module}\n\n\n"
        f"def {function}({arguments}, **kwargs):\n"
        f"    return {module}.{function}({passed}, **kwargs)\n"
    )
