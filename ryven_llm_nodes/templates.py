"""Template flows: sft, dpo, grpo, methods, which compares three, and full, the default flow at full size.

They name public models and datasets; opening, checking and exporting them loads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ryven_llm_nodes.catalogue import (
    DPO,
    GRPO,
    PPO,
    SFT,
    CombineRewards,
    Compare,
    Evaluate,
    ExportScript,
    LLMNode,
    LoadDataset,
    LoadModel,
    LoRA,
    RewardFunction,
    RewardModel,
    SaveModel,
    TrainRewardModel,
)
from ryven_llm_nodes.catalogue.training.trainer import WITH_LORA
from ryven_llm_nodes.errors import UsageError, suggestion
from ryven_llm_nodes.program.project import Placement, project
from ryven_llm_nodes.recipes import MODEL as SMALL
from ryven_llm_nodes.recipes import RECIPES

LLAMA: Final = "meta-llama/Llama-2-7b-hf"
BRIEF: Final = '''def brief_and_finished(completions, **kwargs):
    """1 for a finished summary of at most 30 words, less for every word beyond."""
    scores = []
    for completion in completions:
        text = completion if isinstance(completion, str) else completion[0]["content"]
        too_long = max(len(text.split()) - 30, 0)
        scores.append(max(1.0 - too_long / 30, 0.0) if text.rstrip().endswith((".", "!", "?")) else 0.0)
    return scores
'''
SHORT: Final = {"max_length": 1024, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}
ROLLOUT: Final = {"max_completion_length": 64, "gradient_accumulation_steps": 4}


def _adapted(kind: type[LLMNode]) -> dict[str, Any]:
    """The settings of a trainer that trains a LoRA adapter in one pass over its data."""
    rate = float(f"{kind.all_parameters()['learning_rate'].default * WITH_LORA:.1g}")
    return {"learning_rate": rate, "num_train_epochs": 1.0}


def sft() -> dict[str, Any]:
    """Supervised fine-tuning of a small model."""
    nodes = [
        Placement("base", LoadModel, {"path": SMALL}, 0, 0),
        Placement("conversations", LoadDataset, {"path": "trl-lib/Capybara", "limit": 2000}, 0, 1),
        Placement("sft", SFT, {"num_train_epochs": 1.0, "warmup_steps": 20}, 1, 0),
        Placement("final", SaveModel, {}, 2, 0),
        Placement("script", ExportScript, {}, 2, 1),
    ]
    wires = ["base.model -> sft.model", "conversations.dataset -> sft.dataset"]
    return project("sft", nodes, [*wires, "sft.model -> final.model", "sft.model -> script.model"])


def dpo() -> dict[str, Any]:
    """Direct preference optimization of a small model, with a LoRA adapter."""
    nodes = [
        Placement("base", LoadModel, {"path": SMALL}, 0, 0),
        Placement("preferences", LoadDataset, {"path": "trl-lib/ultrafeedback_binarized", "limit": 2000}, 0, 1),
        Placement("lora", LoRA, {"r": 16, "lora_alpha": 32}, 0, 2),
        Placement("dpo", DPO, _adapted(DPO), 1, 0),
        Placement("final", SaveModel, {}, 2, 0),
        Placement("script", ExportScript, {}, 2, 1),
    ]
    wires = ["base.model -> dpo.model", "preferences.dataset -> dpo.dataset", "lora.adapter -> dpo.adapter"]
    return project("dpo", nodes, [*wires, "dpo.model -> final.model", "dpo.model -> script.model"])


def grpo() -> dict[str, Any]:
    """GRPO with a reward function and a reward threshold."""
    nodes = [
        Placement("base", LoadModel, {"path": SMALL}, 0, 0),
        Placement("prompts", LoadDataset, {"path": "trl-lib/tldr", "limit": 1000}, 0, 1),
        Placement("brief", RewardFunction, {"code": BRIEF}, 0, 2),
        Placement("grpo", GRPO, {"max_completion_length": 64, "num_train_epochs": 1.0}, 1, 0),
        Placement("final", SaveModel, {}, 2, 0),
        Placement("script", ExportScript, {}, 2, 1),
    ]
    wires = ["base.model -> grpo.model", "prompts.dataset -> grpo.dataset", "brief.reward -> grpo.reward"]
    return project("grpo", nodes, [*wires, "grpo.model -> final.model", "grpo.model -> script.model"])


def full() -> dict[str, Any]:
    """Llama-2-7b through SFT, PPO with a reward model, DPO against the SFT model, and GRPO with a threshold."""
    scorer = "cleanrl/EleutherAI_pythia-1b-deduped__reward__tldr"
    nodes = [
        Placement("base", LoadModel, {"path": LLAMA, "dtype": "bfloat16"}, 0, 0),
        Placement("summaries", LoadDataset, {"path": "trl-lib/tldr", "split": "train[:20000]"}, 0, 1),
        Placement("lora", LoRA, {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05}, 0, 2),
        Placement("sft", SFT, {**_adapted(SFT), "warmup_steps": 100, **SHORT}, 1, 0),
        Placement("posts", LoadDataset, {"path": "trl-lib/tldr", "split": "train[20000:24000]"}, 1, 2),
        Placement("tldr_score", RewardModel, {"path": scorer, "dtype": "bfloat16"}, 1, 3),
        Placement("ppo", PPO, {**_adapted(PPO), "per_device_train_batch_size": 4, **ROLLOUT}, 2, 0),
        Placement("pairs", LoadDataset, {"path": "trl-lib/tldr-preference", "limit": 10000}, 2, 2),
        Placement("dpo", DPO, {**_adapted(DPO), **SHORT}, 3, 0),
        Placement("brief_and_finished", RewardFunction, {"code": BRIEF}, 3, 2),
        Placement("grpo", GRPO, {**_adapted(GRPO), **ROLLOUT}, 4, 0),
        Placement("final", SaveModel, {"dtype": "bfloat16"}, 5, 0),
        Placement("script", ExportScript, {}, 5, 1),
    ]
    wires = [
        "base.model -> sft.model",
        "summaries.dataset -> sft.dataset",
        "lora.adapter -> sft.adapter",
        "sft.model -> ppo.model",
        "posts.dataset -> ppo.dataset",
        "tldr_score.reward -> ppo.reward",
        "lora.adapter -> ppo.adapter",
        "ppo.model -> dpo.model",
        "pairs.dataset -> dpo.dataset",
        "sft.model -> dpo.reference",
        "lora.adapter -> dpo.adapter",
        "dpo.model -> grpo.model",
        "posts.dataset -> grpo.dataset",
        "brief_and_finished.reward -> grpo.reward",
        "lora.adapter -> grpo.adapter",
        "grpo.model -> final.model",
        "grpo.model -> script.model",
    ]
    return project("llama-2-7b", nodes, wires)


def methods() -> dict[str, Any]:
    """Which method is best on Reddit summaries: PPO with a trained reward model, DPO or GRPO, from one SFT model."""
    pairs = "trl-lib/tldr-preference"
    sampled = {"limit": 200, "max_completion_length": 64}
    given: dict[str, Mapping[str, Any]] = {
        "base": {"path": SMALL},
        "answers": {"path": "trl-lib/tldr", "split": "train[:4000]"},
        "preferences": {"path": pairs, "limit": 4000},
        "prompts": {"path": "trl-lib/tldr", "split": "train[4000:6000]"},
        "held_out": {"path": pairs, "split": "validation", "limit": 1000},
        "brief_and_finished": {"code": BRIEF},
        "lora": {"r": 16, "lora_alpha": 32},
        **{kind.stem: _adapted(kind) for kind in (SFT, TrainRewardModel, DPO)},
        **{kind.stem: _adapted(kind) | {"max_completion_length": 64} for kind in (PPO, GRPO)},
        **dict.fromkeys(("after_ppo", "after_dpo", "after_grpo"), sampled),
    }
    return three_methods("methods", given, "brief_and_finished")


def three_methods(title: str, given: Mapping[str, Mapping[str, Any]], reward: str) -> dict[str, Any]:
    """SFT and a reward model, then PPO, DPO and GRPO from the SFT model, each measured against it, and the table.

    ``given`` are the settings of the nodes, by name; ``reward`` is the name of the reward function.
    """
    kinds: list[tuple[str, type[LLMNode], float, float]] = [
        ("base", LoadModel, 0, 0),
        ("answers", LoadDataset, 0, 1),
        ("lora", LoRA, 0, 2),
        ("preferences", LoadDataset, 0, 3),
        ("sft", SFT, 1, 0),
        ("judge", TrainRewardModel, 2, 3),
        ("prompts", LoadDataset, 2, 4),
        (reward, RewardFunction, 2, 5),
        ("ppo", PPO, 3, 0),
        ("dpo", DPO, 3, 1),
        ("grpo", GRPO, 3, 2),
        ("measures", CombineRewards, 3, 4),
        ("held_out", LoadDataset, 3, 5),
        *((f"after_{method}", Evaluate, 4, row) for row, method in enumerate(("ppo", "dpo", "grpo"))),
        ("comparison", Compare, 5, 1),
    ]
    nodes = [Placement(name, kind, given.get(name, {}), column, row) for name, kind, column, row in kinds]
    wires = [
        *("base.model -> sft.model", "answers.dataset -> sft.dataset"),
        *("sft.model -> judge.model", "preferences.dataset -> judge.dataset"),
        *("prompts.dataset -> ppo.dataset", "judge.reward -> ppo.reward"),
        *("preferences.dataset -> dpo.dataset",),
        *("prompts.dataset -> grpo.dataset", f"{reward}.reward -> grpo.reward"),
        *(f"lora.adapter -> {trainer}.adapter" for trainer in ("sft", "judge", "ppo", "dpo", "grpo")),
        *(f"{reward}.reward -> measures.reward_1", "judge.reward -> measures.reward_2"),
    ]
    for number, method in enumerate(("ppo", "dpo", "grpo"), 1):
        report = f"after_{method}"
        wires += [
            f"sft.model -> {method}.model",
            f"{method}.model -> {report}.model",
            f"sft.model -> {report}.baseline",
        ]
        wires += [f"held_out.dataset -> {report}.dataset", f"measures.reward -> {report}.reward"]
        wires.append(f"{report}.report -> comparison.report_{number}")
    return project(title, nodes, wires)


TEMPLATES: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "sft": sft,
    "dpo": dpo,
    "grpo": grpo,
    "methods": methods,
    "full": full,
    **RECIPES,
}


@dataclass(frozen=True)
class About:
    """What someone who chooses a template wants to know.

    ``billions`` of parameters are trained, all of them or a ``lora`` adapter; ``steps`` are all optimizer steps.
    """

    title: str
    billions: float
    lora: bool
    steps: int

    @property
    def gigabytes(self) -> float:
        """About what training takes: float32 with gradients and AdamW, or bfloat16 with an adapter."""
        return self.billions * (4 if self.lora else 20) + 2


ABOUT: Final[Mapping[str, About]] = {
    "sft": About("Fine-tune on conversations", 0.135, False, 250),
    "dpo": About("Learn from preferences", 0.135, True, 250),
    "grpo": About("Learn from a reward", 0.135, False, 1000),
    "methods": About("Compare PPO, DPO and GRPO", 0.135, True, 4500),
    "full": About("Llama-2-7b through all four", 7, True, 3875),
    "instructgpt": About("InstructGPT: SFT, reward model, PPO", 0.135, True, 79),
    "zephyr": About("Zephyr: SFT, then DPO", 0.135, True, 55),
    "tulu-3": About("Tulu 3: SFT, DPO, RLVR on sums", 0.135, True, 128),
    "r1-zero": About("R1-Zero: GRPO on arithmetic", 0.135, True, 96),
    "reward-bakeoff": About("Which reward model is best?", 0.135, True, 88),
}
"""The steps follow from rows, passes and batches of each template; a test compares them."""


def project_from(name: str) -> dict[str, Any]:
    """The project of the template ``name``. Raises UsageError where there is none."""
    if name not in TEMPLATES:
        known = ", ".join(TEMPLATES)
        raise UsageError(f"there is no template {name!r}.{suggestion(name, list(TEMPLATES))} Templates: {known}.")
    return TEMPLATES[name]()
