"""The demo's settings: fields that the configs have, and rows that suffice for them."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.demo import settings
from ryven_llm_nodes.demo.data import ROWS

DEVICE = {"use_cpu": True, "bf16": False, "report_to": "none"}


@pytest.mark.parametrize("stage", ["SFT", "PPO", "DPO", "GRPO"])
def test_every_setting_is_a_field_with_a_legal_value(stage, tmp_path):
    import trl

    from ryven_llm_nodes.runtime.ppo import PPOConfig

    config_class = PPOConfig if stage == "PPO" else getattr(trl, f"{stage}Config")
    fields = {name: value for name, value in getattr(settings, stage).items() if name != "reward_threshold"}
    config = config_class(output_dir=str(tmp_path), **DEVICE, **fields)
    assert all(getattr(config, name) == value for name, value in fields.items())


def test_the_adapter_is_a_legal_one():
    from peft import LoraConfig

    config = LoraConfig(**settings.LORA, task_type="CAUSAL_LM")
    assert config.target_modules == set(settings.LORA["target_modules"])


@pytest.mark.parametrize(("stage", "generations"), [("ppo", 1), ("grpo", settings.GRPO["num_generations"])])
def test_no_prompt_is_used_twice(stage, generations):
    """Optimizer steps, each over microbatches, each of them reused in every pass."""
    used = getattr(settings, stage.upper())
    step = used["per_device_train_batch_size"] * used["gradient_accumulation_steps"]
    completions = used["max_steps"] * step / used["num_iterations"]
    assert completions / generations <= ROWS[f"{stage}_prompts"][0]


def test_answers_are_sampled_as_in_training():
    for stage, config in (("ppo", settings.PPO), ("grpo", settings.GRPO)):
        assert settings.SAMPLING[stage] == {
            "max_new_tokens": config["max_completion_length"],
            "temperature": config["temperature"],
        }
