"""PPO: proximal policy optimization with a learned value head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.cell import RUNTIME
from ryven_llm_nodes.catalogue.files import File, model_files
from ryven_llm_nodes.catalogue.held import Held
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import NOT_NEGATIVE
from ryven_llm_nodes.catalogue.training.sampling import SAMPLING, SamplingTrainer
from ryven_llm_nodes.catalogue.training.trainer import WITHHELD, batch_size

FIXED: Final = ("num_generations", "num_generations_eval", "beta", "scale_rewards", "loss_type")
CONFIG: Final = ConfigClass(
    "PPOConfig",
    ("ryven_llm_nodes/runtime/ppo_config.py:PPOConfig", "trl/trainer/grpo_config.py:GRPOConfig"),
    {**SAMPLING, **dict.fromkeys(("cliprange_value", "vf_coef", "kl_coef", "truncation_penalty"), NOT_NEGATIVE)},
)
ESSENTIALS: Final = ("learning_rate", "epsilon", "vf_coef", "entropy_coef", "gamma", "lam", "kl_coef")
OWN: Final = ("shared", "separate")
"""The values of ``value_model`` that name no folder."""


class PPO(SamplingTrainer):
    """Proximal policy optimization (arXiv 1707.06347): raises the reward of completions, staying near the reference.

    A learned value head, generalized advantage estimation, and a per-token KL penalty against the initial
    policy. The reward may be any reward function or reward model: its offset and scale have no effect. Needs a
    ``prompt`` column.

    Signs of a healthy run: ``ppo/explained_variance`` rises above 0, ``ppo/value_bias`` stays near 0 (mean value less
    mean return), ``ppo/clip_fraction`` and ``ppo/value_clip_fraction`` stay below 0.3, ``ppo/kl_old`` (to the policy
    of the rollout, per token) below 0.1, ``ppo/kl`` (to the reference, per completion) grows slowly, and ``ppo/ended``,
    the share of completions that ended, does not fall to 0 or rise to 1 at once. ``ppo/advantage_first``, ``_middle``
    and ``_last`` are mean advantages by thirds of the completions: far from 0, values depend on the position.
    """

    title = "PPO"
    stem = "ppo"
    position = 2
    tags = ["ppo", "proximal", "policy", "rlhf", "reward", "value", "train", "rl"]
    config = CONFIG
    trainer = "PPOTrainer"
    curves = ("reward", "loss", "ppo/explained_variance", "ppo/value_bias", "ppo/kl", "ppo/kl_old", "ppo/ended")
    imports = (
        "from ryven_llm_nodes.runtime.ppo import PPOTrainer",
        "from ryven_llm_nodes.runtime.ppo_config import PPOConfig",
    )
    withheld = WITHHELD | dict.fromkeys(FIXED, "is fixed by PPO: one completion per prompt, its own KL (kl_coef).")
    withheld |= {"use_vllm": "is not for PPO: TRL sends vLLM all weights, and vLLM has no place for a value head."}
    parameters = (*CONFIG.own(*ESSENTIALS), batch_size(8))

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[File]:
        """Also the weights that the critic starts from."""
        yield from super().fingerprint(context)
        critic = context["value_model"]
        if critic not in OWN and is_local(critic, context.root):
            yield from ((f"value_model: {name}", file) for name, file in model_files(resolve(critic, context.root)))

    @classmethod
    def held(cls, context: NodeContext) -> Held:
        critics = {"shared": "", "separate": "copy"}
        return Held(cls.copies_policy(context), critics.get(context["value_model"], context["value_model"]))

    @classmethod
    def sharded_trainer(cls) -> tuple[str, str]:
        return "ShardedPPOTrainer", f"from {RUNTIME}.ppo_sharding import ShardedPPOTrainer"

    @classmethod
    def copies_policy(cls, context: NodeContext) -> bool:
        return "adapter" not in context.inputs
