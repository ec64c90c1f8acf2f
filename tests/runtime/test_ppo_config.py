"""PPOConfig: its fields, their rules, and which fields of GRPOConfig it takes."""

import ast
import dataclasses
import inspect
import re
from typing import Any

import pytest
from trl import GRPOConfig, TrlParser

from ryven_llm_nodes.runtime.ppo_config import GRPO_ONLY, PPOConfig

CPU = {"use_cpu": True, "bf16": False, "report_to": "none"}
ACT = {
    "loading": ("model_init_kwargs", "trust_remote_code", "cast_lm_head_to_fp32", "disable_dropout"),
    "data": ("remove_unused_columns", "shuffle_dataset", "pad_to_multiple_of", "chat_template_kwargs"),
    "generation": (
        *("max_completion_length", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "generation_kwargs"),
        *("cache_implementation", "ds3_gather_for_generation", "use_transformers_continuous_batching"),
        *("transformers_continuous_batching_config", "use_transformers_paged"),
    ),
    "rollout": ("generation_batch_size", "steps_per_generation", "num_iterations", "mask_truncated_completions"),
    "loss": ("learning_rate", "epsilon", "epsilon_high", "entropy_coef", "reward_weights", "router_aux_loss_coef"),
    "logging": ("log_completions", "num_completions_to_print", "log_unique_prompts", "log_completions_hub_repo"),
}
"""What GRPOConfig declares and PPO uses, or TRL's code that it inherits."""
FIXED = {"num_generations", "num_generations_eval"}


def test_every_field_of_grpo_acts_or_is_refused() -> None:
    """A field that a later TRL adds has to be judged."""
    declared = {name for name in GRPOConfig.__annotations__ if name in {f.name for f in dataclasses.fields(GRPOConfig)}}
    acting = {name for names in ACT.values() for name in names}
    refused = set(GRPO_ONLY) - {"label_smoothing_factor", "train_sampling_strategy"}  # of TrainingArguments
    assert not acting & refused
    assert declared == acting | refused | FIXED


@pytest.mark.parametrize("name", GRPO_ONLY)
def test_what_would_do_nothing_is_refused(name: str) -> None:
    kept = {field.name: field.default for field in dataclasses.fields(PPOConfig)}[name]
    assert getattr(PPOConfig(**CPU), name) == kept
    for value in (not kept if isinstance(kept, bool) else 0.123, "something else"):
        message = f"PPOConfig > {name}: not used by PPO, leave it at {kept!r}, got {value!r}."
        with pytest.raises(ValueError, match=re.escape(message)):
            PPOConfig(**CPU, **{name: value})


def test_defaults_can_be_read_from_the_source() -> None:
    tree = ast.parse(inspect.getsource(PPOConfig))
    fields = [node for node in tree.body[0].body if isinstance(node, ast.AnnAssign)]
    config = PPOConfig(use_cpu=True, bf16=False, report_to="none")
    read = {}
    for node in fields:
        keywords = {word.arg: ast.literal_eval(word.value) for word in node.value.keywords}
        read[node.target.id] = keywords["default"]
        assert getattr(config, node.target.id) == keywords["default"]
        assert keywords["metadata"]["help"]
    assert {"gamma": 0.99, "lam": 0.95, "kl_coef": 0.001, "vf_coef": 0.1}.items() <= read.items()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("gamma", 1.5, "PPOConfig > gamma: must be at most 1, got 1.5. Typical: 0.99 to 1."),
        ("lam", -0.1, "PPOConfig > lam: must be at least 0, got -0.1"),
        ("kl_coef", -1, "PPOConfig > kl_coef: must be at least 0, got -1"),
        ("num_iterations", 0, "PPOConfig > num_iterations: must be at least 1, got 0"),
        ("kl_estimator", "k2", "PPOConfig > kl_estimator: must be 'k1' or 'k3', got 'k2'"),
        (
            "num_generations",
            4,
            "PPOConfig > num_generations: not used by PPO, leave it at 1: one completion per prompt.",
        ),
        ("kl_target", 0, "PPOConfig > kl_target: must be greater than 0, got 0. Typical: 1 to 10."),
        (
            "value_model",
            "owner/model",
            "PPOConfig > value_model: must be 'shared', 'separate' or the folder of a model",
        ),
        ("truncated_completions", "mask", "must be 'score' or 'penalty' or 'bootstrap', got 'mask'"),
        ("beta", 0.1, "PPOConfig > beta: not used by PPO, leave it at 0.0, got 0.1"),
        ("per_device_train_batch_size", 1, "a rollout needs 2 completions or more, got 1"),
    ],
)
def test_bad_values_are_named(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        PPOConfig(**{"use_cpu": True, "bf16": False, field: value})


def test_a_rollout_is_cut_into_whole_minibatches() -> None:
    with pytest.raises(ValueError, match=r"steps_per_generation: must be a multiple .* \(2\), got 3"):
        PPOConfig(use_cpu=True, bf16=False, gradient_accumulation_steps=2, steps_per_generation=3)


def test_a_command_line_of_trl_sets_the_fields() -> None:
    """transformers' parser hands the metadata of a field to argparse, which knows help and choices only."""
    arguments = "--output_dir out --use_cpu true --bf16 false --report_to none --gamma 0.9 --kl_target 3"
    (config,) = TrlParser((PPOConfig,)).parse_args_and_config([*arguments.split(), "--normalize_scores", "false"])
    assert (config.gamma, config.kl_target, config.normalize_scores, config.lam) == (0.9, 3.0, False, 0.95)
    with pytest.raises(ValueError, match="PPOConfig > gamma: must be at most 1, got 2"):
        TrlParser((PPOConfig,)).parse_args_and_config([*arguments.split(), "--gamma", "2"])
    with pytest.raises(SystemExit):
        TrlParser((PPOConfig,)).parse_args_and_config([*arguments.split(), "--truncated_completions", "hope"])
