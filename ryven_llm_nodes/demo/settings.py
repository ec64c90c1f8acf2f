"""What each stage of the demo trains with: fields of its config, chosen by measurement on two CPU cores.

* Few, short rows: on a CPU time is tokens, and a batch of 32 answers is generated in twice the time of 4.
* SFT stops early on purpose (12 steps): it has its style, and leaves PPO and DPO something to improve.
  After twice as many steps the answers were short and finished already, and PPO gained nothing.
* High learning rates: a fresh LoRA adapter starts from nothing and has about 16 steps. For PPO and GRPO they stay
  high: with a rate that falls to nothing, PPO gained half as much. Discount, lambda and entropy bonus are PPO's own.
* PPO and GRPO make two passes in minibatches of 16 over each 32 completions. Microbatches of 8 need 3.1 GB
  at their peak, 16 need 4.5 GB; DPO with 2 pairs needs 2.9 GB, with 4 pairs 4 GB.
"""

from __future__ import annotations

from typing import Any, Final

Settings = dict[str, Any]

LORA: Final[Settings] = {
    "r": 8,
    "lora_alpha": 16,
    "lora_dropout": 0.0,
    "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"],
}

_COMMON: Final[Settings] = {
    "gradient_checkpointing": False,
    "save_strategy": "no",
    "logging_steps": 1,
    "lr_scheduler_type": "linear",
}

_ROLLOUT: Final[Settings] = {
    "max_completion_length": 32,
    "temperature": 0.7,
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 2,
    "steps_per_generation": 4,
    "num_iterations": 2,
}

SFT: Final[Settings] = {
    **_COMMON,
    "per_device_train_batch_size": 4,
    "num_train_epochs": 1,
    "learning_rate": 1e-3,
    "warmup_steps": 2,
    "max_length": 128,
}

PPO: Final[Settings] = {
    **_COMMON,
    **_ROLLOUT,
    "max_steps": 16,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
    "kl_coef": 0.02,
}

DPO: Final[Settings] = {
    **_COMMON,
    "per_device_train_batch_size": 2,
    "num_train_epochs": 1,
    "learning_rate": 5e-4,
    "warmup_steps": 2,
    "max_length": 160,
    "beta": 0.1,
}

GRPO: Final[Settings] = {
    **_COMMON,
    **_ROLLOUT,
    "num_generations": 8,
    "max_steps": 16,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
    "beta": 0.0,
    "reward_threshold": 0.7,
}

# How the answers to held-out prompts are sampled: as in training.
SAMPLING: Final[dict[str, Settings]] = {
    stage: {"max_new_tokens": config["max_completion_length"], "temperature": config["temperature"]}
    for stage, config in (("ppo", PPO), ("grpo", GRPO))
}
