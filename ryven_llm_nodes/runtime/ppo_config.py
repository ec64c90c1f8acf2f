"""The configuration of PPO: the fields of GRPOConfig that have an effect in PPO, and its own."""

from dataclasses import dataclass, field, fields
from operator import ge, gt, le, lt
from pathlib import Path
from typing import Annotated, get_args

from trl import GRPOConfig

# The rules that the annotation of a field may contain, and their words in messages. They are not in its metadata,
# which transformers' parser of command lines hands to argparse.
BOUNDS = {
    "at_least": (ge, "at least"),
    "above": (gt, "greater than"),
    "at_most": (le, "at most"),
    "below": (lt, "less than"),
}

# Fields of GRPOConfig and TrainingArguments without effect in PPO: each has to keep its default.
GRPO_ONLY = (
    *("beta", "delta", "scale_rewards", "loss_type", "importance_sampling_level", "multi_objective_aggregation"),
    *("sapo_temperature_neg", "sapo_temperature_pos", "vespo_k_pos", "vespo_lambda_pos", "vespo_k_neg"),
    *("vespo_lambda_neg", "top_entropy_quantile", "use_adaptive_entropy", "entropy_coef_min", "entropy_coef_max"),
    *("entropy_coef_delta", "entropy_target", "off_policy_mask_threshold", "use_bias_correction_kl"),
    *("sync_ref_model", "ref_model_mixup_alpha", "ref_model_sync_steps", "max_tool_calling_iterations"),
    *("train_sampling_strategy", "log_multimodal", "label_smoothing_factor"),
    *("use_vllm", "vllm_mode", "vllm_model_impl"),
    *("vllm_enable_sleep_mode", "vllm_structured_outputs_regex", "vllm_server_base_url", "vllm_server_host"),
    *("vllm_server_port", "vllm_server_timeout", "vllm_group_port", "vllm_gpu_memory_utilization"),
    *("vllm_max_model_length", "vllm_tensor_parallel_size", "vllm_importance_sampling_correction"),
    *("vllm_importance_sampling_mode", "vllm_importance_sampling_clip_max", "vllm_importance_sampling_clip_min"),
    "vllm_importance_sampling_cap",
)


@dataclass
class PPOConfig(GRPOConfig):
    """The fields of GRPOConfig and those of PPO.

    A rollout is `per_device_train_batch_size * steps_per_generation` completions per process. Each of the
    `num_iterations` passes over it makes `steps_per_generation / gradient_accumulation_steps` optimizer
    steps, one per minibatch. By default `steps_per_generation` is `gradient_accumulation_steps`: one step
    per pass. `max_steps`, `save_steps` and `logging_steps` count optimizer steps.

    What makes PPO learn whatever the reward looks like, and what `tests/benchmarks/rl/README.md` reports of it. Final
    success on a dense task is 0.99, and 0.99 with every reward lowered by 5; without all of it 0.83 and 0.06. One part
    changed at a time, two seeds with the lowered reward, one seed where completions have 96 tokens (default: 0.99):

    * `normalize_scores` (arXiv 2403.17031) and `calibrate_values` (Value-Calibrated PPO, arXiv 2503.01491, reduced to
      the bias, which is known exactly) both remove an offset: 0.98 without the first, 0.99 without the second, 0.54
      without both. 96 tokens without `calibrate_values`: 0.90.
    * `kl_coef` is in the unit of the normalized score, and lower than what is usual with scores as they are: 0.05
      gives 0.92, and with 96 tokens 0.93.
    * `critic_lam` 1 (Value-Calibrated PPO): 0.95 gives 0.98 with 96 tokens.
    * `lam_alpha` 1 (VAPO, arXiv 2504.05118, which has 0.05 for thousands of tokens): 0 gives 0.97 with 96 tokens.

    Raises ValueError for a value out of range and for a setting of GRPO that PPO would ignore.
    """

    gamma: Annotated[float, {"at_least": 0, "at_most": 1, "typical": "0.99 to 1"}] = field(
        default=0.99, metadata={"help": "Discount of the rewards of later tokens."}
    )
    lam: Annotated[float, {"at_least": 0, "at_most": 1, "typical": "0.9 to 1"}] = field(
        default=0.95,
        metadata={
            "help": "GAE's lambda: 0 trusts the value head (bias), 1 the observed rewards (variance). Long completions "
            "get a higher one, see lam_alpha."
        },
    )
    lam_alpha: Annotated[float, {"at_least": 0, "at_most": 1000, "typical": "0.05 to 1"}] = field(
        default=1.0,
        metadata={
            "help": "Lambda of a completion of l tokens is at least 1 - 1 / (lam_alpha * l), so that its score reaches "
            "its first tokens; 0 for the same lambda at any length."
        },
    )
    critic_lam: Annotated[float, {"at_least": 0, "at_most": 1, "typical": "1"}] = field(
        default=1.0,
        metadata={"help": "Lambda of the returns that the value head learns; 1 for the observed rewards."},
    )
    kl_coef: Annotated[float, {"at_least": 0, "typical": "0 to 0.01"}] = field(
        default=0.001,
        metadata={
            "help": "KL coefficient: per-token penalty for moving away from the reference model, in the unit of the "
            "normalized score."
        },
    )
    kl_estimator: str = field(
        default="k1",
        metadata={"help": "Estimate of the KL: k1 is unbiased, k3 never negative.", "choices": ["k1", "k3"]},
    )
    kl_target: Annotated[float | None, {"above": 0, "typical": "1 to 10"}] = field(
        default=None,
        metadata={
            "help": "KL per completion, in nats, that kl_coef is adapted to reach; it stays as it is by default."
        },
    )
    kl_horizon: Annotated[int, {"at_least": 1, "typical": "10000"}] = field(
        default=10000,
        metadata={"help": "Completions in which kl_coef adapts to kl_target: more of them is slower."},
    )
    vf_coef: Annotated[float, {"at_least": 0, "typical": "0.1 to 1"}] = field(
        default=0.1,
        metadata={"help": "Weight of the value loss, which is scaled to the size of the policy loss."},
    )
    cliprange_value: Annotated[float, {"at_least": 0, "typical": "0.2"}] = field(
        default=0.2,
        metadata={"help": "Clip range of the value loss, around the values of the rollout."},
    )
    normalize_scores: bool = field(
        default=True,
        metadata={
            "help": "Measure scores in standard deviations from their running mean, so that offset and scale of the "
            "reward have no effect."
        },
    )
    calibrate_values: bool = field(
        default=True,
        metadata={"help": "Fit the value head to each rollout by least squares before the policy learns from it."},
    )
    value_model: str = field(
        default="shared",
        metadata={
            "help": "What values are made of: the policy's hidden states (shared), a copy of its layers that the "
            "critic trains alone (separate), or the layers of the model in this folder, for instance a reward model. "
            "With LoRA such a critic has an adapter of its own."
        },
    )
    truncated_completions: str = field(
        default="score",
        metadata={
            "help": "What a completion that did not end earns: its score, its score less truncation_penalty, or "
            "the value of its last token (bootstrap). To leave it out: mask_truncated_completions.",
            "choices": ["score", "penalty", "bootstrap"],
        },
    )
    truncation_penalty: Annotated[float, {"at_least": 0, "typical": "0.5 to 2"}] = field(
        default=1.0,
        metadata={"help": "What a completion that did not end loses, in the unit of the normalized score."},
    )
    whiten_rewards: bool = field(
        default=False, metadata={"help": "Scale a rollout's rewards to unit variance, keeping their mean."}
    )
    whiten_advantages: bool = field(
        default=True,
        metadata={"help": "Scale a rollout's advantages to mean 0 and unit variance, and its value loss likewise."},
    )

    # Fields of GRPOConfig with another default or meaning in PPO.
    learning_rate: Annotated[
        float, {"above": 0, "at_most": 1, "typical": "1e-6 to 1e-5 (LoRA: about ten times that)"}
    ] = field(default=1e-5, metadata={"help": "Highest learning rate of AdamW."})
    num_iterations: Annotated[int, {"at_least": 1, "typical": "1 to 4"}] = field(
        default=4, metadata={"help": "Passes over each rollout before the next is generated (PPO epochs)."}
    )
    epsilon: Annotated[float, {"above": 0, "below": 1, "typical": "0.1 to 0.2"}] = field(
        default=0.2, metadata={"help": "Clip range: how far the probability ratio may move from 1."}
    )
    entropy_coef: Annotated[float, {"at_least": 0, "typical": "0 to 0.01"}] = field(
        default=0.01, metadata={"help": "Weight of the entropy bonus, which keeps the policy exploring."}
    )
    disable_dropout: bool = field(
        default=True,
        metadata={
            "help": "Train without dropout, that of LoRA included: the probability ratio compares with a rollout "
            "that is evaluated without it."
        },
    )
    num_generations: int | None = field(
        default=1, metadata={"help": "Completions per prompt. Always 1: the value head is the baseline."}
    )

    def __post_init__(self) -> None:
        self._check_fields()
        steps = self.steps_per_generation or self.gradient_accumulation_steps
        rollout = self.generation_batch_size or self.per_device_train_batch_size * steps
        if rollout < 2:
            raise ValueError(
                "PPOConfig > per_device_train_batch_size: a rollout needs 2 completions or more, got 1. "
                "Raise it, or gradient_accumulation_steps, or steps_per_generation."
            )
        # GRPOConfig demands at least two completions per prompt, in full groups. PPO has one.
        self.num_generations, self.num_generations_eval = rollout, 1
        super().__post_init__()
        self.num_generations = 1
        if self.steps_per_generation % self.gradient_accumulation_steps:
            raise ValueError(
                "PPOConfig > steps_per_generation: must be a multiple of gradient_accumulation_steps "
                f"({self.gradient_accumulation_steps}), got {self.steps_per_generation}. "
                "A rollout is split into full minibatches."
            )

    def _check_fields(self) -> None:
        for known in fields(self):
            value, name = getattr(self, known.name), f"PPOConfig > {known.name}"
            if known.name in GRPO_ONLY and value != known.default:
                raise ValueError(f"{name}: not used by PPO, leave it at {known.default!r}, got {value!r}.")
            if known.name not in PPOConfig.__annotations__:
                continue
            rules = next(iter(get_args(PPOConfig.__annotations__[known.name])[1:]), None)
            for rule, (holds, words) in BOUNDS.items() if isinstance(rules, dict) and value is not None else ():
                if rule in rules and not holds(value, rules[rule]):
                    raise ValueError(
                        f"{name}: must be {words} {rules[rule]}, got {value}. Typical: {rules['typical']}."
                    )
            choices = known.metadata.get("choices")
            if choices and value not in choices:
                raise ValueError(f"{name}: must be {' or '.join(map(repr, choices))}, got {value!r}.")
        if self.value_model not in ("shared", "separate") and not Path(self.value_model, "config.json").is_file():
            raise ValueError(
                f"PPOConfig > value_model: must be 'shared', 'separate' or the folder of a model, got "
                f"{self.value_model!r}, which has no config.json. Download a model of the Hub first."
            )
        if self.num_generations != 1 or self.num_generations_eval not in (None, 1):
            raise ValueError("PPOConfig > num_generations: not used by PPO, leave it at 1: one completion per prompt.")
