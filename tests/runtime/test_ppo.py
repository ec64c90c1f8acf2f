"""PPOTrainer on a tiny Llama: what it computes, what it learns, what it saves and restores."""

import ast
import hashlib
import inspect
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from torch.nn.functional import pad
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaForSequenceClassification,
    MixtralConfig,
    MixtralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    set_seed,
)
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head, create_model_from_path

from ryven_llm_nodes.runtime import ppo
from ryven_llm_nodes.runtime.ppo import PPOTrainer
from ryven_llm_nodes.runtime.ppo_config import PPOConfig
from ryven_llm_nodes.runtime.ppo_math import gae, per_token_rewards
from ryven_llm_nodes.runtime.ppo_rewards import adapted_kl_coef
from ryven_llm_nodes.runtime.ppo_rollout import Tokens

PROMPTS = ["a b c", "d", "x y z w v", "q r"]
Train = Callable[..., PPOTrainer]
PLAIN = {"normalize_scores": False, "calibrate_values": False, "lam_alpha": 0.0}
"""PPO without what changes rewards, values and lambda; the returns of the value head are those of `critic_lam`."""


def share_of_vowels(completions: list[str], **kwargs: Any) -> list[float]:
    """A dense reward: each vowel counts. A random policy earns about 0.17."""
    return [sum(text.count(vowel) for vowel in "aeiou") / 8 for text in completions]


def lora() -> LoraConfig:
    return LoraConfig(r=4, target_modules="all-linear")


def digest(trainer: PPOTrainer) -> str:
    """sha256 of every weight, the value head's included."""
    weights = hashlib.sha256()
    for name, parameter in sorted(trainer.model.named_parameters()):
        weights.update(name.encode() + parameter.detach().numpy().tobytes())
    return weights.hexdigest()


def logged(trainer: PPOTrainer, name: str) -> list[float]:
    return [entry[name] for entry in trainer.state.log_history if name in entry]


@pytest.fixture
def build(tmp_path: Path, make_model: Callable, tokenizer: Any) -> Train:
    """Builds a trainer, by default for the tiny model; keywords are the trainer's or the configuration's."""

    def build(model: Any = None, reward_funcs: Any = share_of_vowels, **options: Any) -> PPOTrainer:
        trainer_names = ("ref_model", "peft_config", "reward_processing_classes", "eval_dataset", "callbacks")
        kwargs = {name: options.pop(name) for name in trainer_names if name in options}
        dataset = Dataset.from_dict({"prompt": options.pop("prompts", PROMPTS * 16)})
        defaults = {
            "output_dir": str(tmp_path / "out"),
            "per_device_train_batch_size": 16,
            "max_steps": 8,
            "max_completion_length": 8,
            "learning_rate": 3e-3,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
            "use_cpu": True,
            "bf16": False,
            "disable_tqdm": True,
        }
        return PPOTrainer(
            make_model() if model is None else model,
            reward_funcs,
            PPOConfig(**{**defaults, **options}),
            train_dataset=dataset,
            processing_class=tokenizer,
            **kwargs,
        )

    return build


@pytest.fixture
def train(build: Train) -> Train:
    """Builds a trainer and trains it."""

    def train(*args: Any, resume: str | None = None, **options: Any) -> PPOTrainer:
        trainer = build(*args, **options)
        set_seed(0)
        trainer.train(resume_from_checkpoint=resume)
        return trainer

    return train


@pytest.fixture
def rollout(build: Train) -> tuple[PPOTrainer, dict[str, torch.Tensor]]:
    """A rollout of a policy that has left its reference, with a value head that has an opinion."""
    trainer = build(**PLAIN, kl_coef=0.3, gamma=0.9, lam=0.8, critic_lam=0.8)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return trainer, trainer._generate_and_score_completions([{"prompt": prompt} for prompt in PROMPTS * 8])


# TRL's side of the contract


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("_generate_and_score_completions", ["inputs"]),
        ("_calculate_rewards", ["inputs", "prompts", "completions", "completion_ids_list"]),
        ("_get_per_token_logps_and_entropies", ["model", "input_ids", "attention_mask", "logits_to_keep"]),
        ("compute_loss", ["model", "inputs", "return_outputs", "num_items_in_batch"]),
        ("_get_train_sampler", ["dataset"]),
        ("_save_optimizer_and_scheduler", ["output_dir"]),
        ("_load_optimizer_and_scheduler", ["checkpoint"]),
    ],
)
def test_trl_still_has_the_methods_that_are_overridden(method: str, parameters: list[str]) -> None:
    assert method in vars(PPOTrainer)
    signature = inspect.signature(getattr(GRPOTrainer, method))
    assert list(signature.parameters)[1 : len(parameters) + 1] == parameters


def test_trl_still_has_the_helpers_and_attributes_that_are_used(build: Train) -> None:
    assert list(inspect.signature(add_fused_lm_head).parameters)[:3] == [
        "model",
        "temperature",
        "cast_lm_head_to_fp32",
    ]
    assert next(iter(inspect.signature(create_model_from_path).parameters)) == "model_id"
    source = inspect.getsource(GRPOTrainer)
    trainer = build()
    for name in ("_step", "_buffered_inputs", "_metrics", "reward_weights", "epsilon_low", "epsilon_high"):
        assert f"self.{name}" in source
        assert hasattr(trainer, name)
    assert "_, _ = self._get_per_token_logps_and_entropies" in source, "it no longer returns three values"
    assert isinstance(trainer._get_train_sampler().generator, torch.Generator)
    assert GRPOTrainer.loss_is_scaled_for_ga is True


RUNTIME = {path.stem for path in Path(ppo.__file__).parent.glob("*.py")}


def test_the_modules_can_be_copied_into_a_script() -> None:
    for path in Path(ppo.__file__).parent.glob("ppo*.py"):
        tree = ast.parse(path.read_text())
        imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert imports
        assert not [name for node in imports for name in node.names if name.asname]
        froms = [node for node in imports if isinstance(node, ast.ImportFrom)]
        assert "__future__" not in {node.module for node in froms}
        assert all(node.module in RUNTIME for node in froms if node.level)


# What a rollout is


def test_odd_batches_and_single_completions(train: Train) -> None:
    trainer = train(per_device_train_batch_size=3, num_iterations=2, max_steps=4)
    assert trainer.args.num_generations == 1
    assert len(logged(trainer, "ppo/clip_fraction")) == 4
    assert len(logged(trainer, "reward")) == 2
    assert trainer._buffered_inputs[0]["completion_ids"].size(0) == 3


def test_rollout_equals_unpadded_evaluation(
    rollout: tuple[PPOTrainer, dict[str, torch.Tensor]], tokenizer: Any
) -> None:
    """Log-probabilities, values, returns and advantages, by plain forward passes of single completions."""
    trainer, batch = rollout
    head, args = trainer.value_head, trainer.args
    lengths = batch["completion_mask"].sum(1)
    assert len(set(lengths.tolist())) > 2, "the test needs completions that end early"
    assert len(set(batch["prompt_mask"].sum(1).tolist())) > 2, "the test needs padded prompts"
    raw = []
    for row, length in enumerate(lengths.tolist()):
        prompt = batch["prompt_ids"][row][batch["prompt_mask"][row].bool()]
        completion = batch["completion_ids"][row][:length]
        ids = torch.cat([prompt, completion]).unsqueeze(0)
        logps = {}
        for name, model in (("policy", trainer.model), ("reference", trainer.ref_model)):
            with torch.no_grad():
                output = model(input_ids=ids, output_hidden_states=True)
            predictions = output.logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            logps[name] = predictions.gather(1, completion.unsqueeze(1)).T
            if name == "policy":
                hidden = output.hidden_states[-1][:, len(prompt) - 1 : -1]
        values = (hidden @ head.weight.T + head.bias).squeeze(-1).detach()
        assert not torch.allclose(logps["policy"], logps["reference"], atol=1e-2)
        text = tokenizer.decode(completion, skip_special_tokens=True)
        mask, score = torch.ones(1, length), torch.tensor(share_of_vowels([text]))
        rewards, _ = per_token_rewards(score, logps["policy"], logps["reference"], mask, args.kl_coef)
        advantages, returns = gae(rewards, values, mask, args.gamma, args.lam)
        raw.append(advantages[0])
        for name, alone in (("old_logps", logps["policy"]), ("old_values", values), ("returns", returns)):
            torch.testing.assert_close(batch[name][row : row + 1, :length], alone, atol=2e-6, rtol=1e-5)
        assert batch["returns"][row, length:].abs().sum() == 0
        assert length == 8 or completion[-1] == tokenizer.eos_token_id
    together = torch.cat(raw)
    whitened = (together - together.mean()) / together.std()
    advantages = batch["advantages"][batch["completion_mask"].bool()]
    torch.testing.assert_close(advantages, whitened, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("absolute", [False, True], ids=["llama", "gpt2"])
def test_padding_changes_nothing(
    rollout: tuple[PPOTrainer, dict[str, torch.Tensor]], build: Train, absolute: bool
) -> None:
    """Also for a model that learned what position 0 looks like."""
    trainer, batch = rollout
    if absolute:
        torch.manual_seed(0)
        size = {"vocab_size": 29, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2}
        trainer = build(model=GPT2LMHeadModel(GPT2Config(**size, bos_token_id=1, eos_token_id=1)))
        trainer.model.eval()  # GPT-2 has dropout
    wider = {
        "prompt_ids": pad(batch["prompt_ids"], (5, 0)),
        "prompt_mask": pad(batch["prompt_mask"], (5, 0)),
        "completion_ids": pad(batch["completion_ids"], (0, 7)),
        "completion_mask": pad(batch["completion_mask"], (0, 7)),
    }
    mask = batch["completion_mask"].bool()
    narrow, wide = (trainer._score_tokens(trainer.model, Tokens.of(inputs)) for inputs in (batch, wider))
    pairs = ((narrow.logps, wide.logps), (narrow.entropies, wide.entropies), (narrow.values, wide.values))
    for narrow, wide in pairs:
        assert wide.size(1) == narrow.size(1) + 7
        torch.testing.assert_close(wide[:, :8][mask], narrow[mask], atol=2e-6, rtol=1e-5)


def test_entropies_are_those_of_the_softmax(rollout: tuple[PPOTrainer, dict[str, torch.Tensor]]) -> None:
    trainer, batch = rollout
    row = int(batch["prompt_mask"].sum(1).argmax())  # the longest prompt has no padding
    ids = torch.cat([batch["prompt_ids"][row], batch["completion_ids"][row]]).unsqueeze(0)
    with torch.no_grad():
        logits = trainer.model(input_ids=ids).logits[0, batch["prompt_ids"].size(1) - 1 : -1]
        entropies = trainer._score_tokens(trainer.model, Tokens.of(batch)).entropies[row]
    expected = torch.distributions.Categorical(logits=logits).entropy()
    length = int(batch["completion_mask"][row].sum())
    torch.testing.assert_close(entropies[:length], expected[:length], atol=1e-5, rtol=1e-5)


def test_lambda_decides_how_far_the_score_reaches(build: Train) -> None:
    """With values of 0 and no penalty, lambda 0 credits the last token alone and lambda 1 all of them."""
    options = {**PLAIN, "kl_coef": 0.0, "gamma": 1.0, "whiten_advantages": False}
    inputs = [{"prompt": prompt} for prompt in PROMPTS * 4]
    for lam in (0.0, 1.0):
        trainer = build(**options, lam=lam)
        set_seed(0)
        batch = trainer._generate_and_score_completions(inputs)
        mask = batch["completion_mask"]
        is_last = torch.arange(mask.size(1)) == mask.sum(1, keepdim=True) - 1
        expected = trainer._scores.unsqueeze(1) * (is_last if lam == 0 else mask)
        torch.testing.assert_close(batch["advantages"], expected.float())
        assert trainer._scores.sum() > 0


# Rewards


def test_functions_and_reward_models_are_weighted(build: Train, tiny_config: Any, tokenizer: Any) -> None:
    torch.manual_seed(7)
    config = type(tiny_config)(**{**tiny_config.to_dict(), "num_labels": 1})
    reward_model = LlamaForSequenceClassification(config)
    reward_model.config._name_or_path = "tiny-reward"
    trainer = build(
        reward_funcs=[share_of_vowels, reward_model],
        reward_processing_classes=[None, tokenizer],
        reward_weights=[2.0, 10.0],
        **PLAIN,
    )
    batch = trainer._generate_and_score_completions([{"prompt": prompt} for prompt in PROMPTS * 2])
    for row in range(8):
        prompt = PROMPTS[row % 4]
        text = tokenizer.decode(batch["completion_ids"][row], skip_special_tokens=True)
        ids = tokenizer(prompt + text, return_tensors="pt").input_ids
        with torch.no_grad():
            score = reward_model(input_ids=ids).logits[0, 0]
        assert score.abs() > 1e-4
        expected = 2.0 * share_of_vowels([text])[0] + 10.0 * score
        torch.testing.assert_close(trainer._scores[row], expected, atol=1e-5, rtol=1e-4)


def test_a_completion_without_a_score_is_left_out(build: Train) -> None:
    """The mask hides it from the losses."""

    def only_short_prompts(prompts: list[str], completions: list[str], **kwargs: Any) -> list[float | None]:
        scores = share_of_vowels(completions)
        return [score if len(prompt) < 6 else None for prompt, score in zip(prompts, scores, strict=True)]

    trainer = build(reward_funcs=only_short_prompts)
    batch = trainer._generate_and_score_completions([{"prompt": prompt} for prompt in PROMPTS * 2])
    assert batch["completion_mask"].sum(1).gt(0).tolist() == [True, True, False, True] * 2
    assert batch["advantages"][2::4].abs().sum() == 0
    assert batch["advantages"][0::4].abs().sum() > 0
    trainer.model.eval()
    scored = {key: value[[0, 1, 3, 4, 5, 7]] if value.dim() else value for key, value in batch.items()}
    loss, without = (trainer.compute_loss(trainer.model, rows) for rows in (batch, scored))
    torch.testing.assert_close(loss, without)


def test_conversations(train: Train, tokenizer: Any) -> None:
    seen = []

    def reward(prompts: list[Any], completions: list[Any], **kwargs: Any) -> list[float]:
        seen.extend(zip(prompts, completions, strict=True))
        return share_of_vowels([completion[0]["content"] for completion in completions])

    prompts = [[{"role": "user", "content": prompt}] for prompt in PROMPTS] * 8
    trainer = train(reward_funcs=reward, prompts=prompts, max_steps=4)
    prompt, completion = seen[0]
    assert prompt[0]["role"] == "user"
    assert completion[0]["role"] == "assistant"
    ids = trainer._buffered_inputs[0]["prompt_ids"]
    assert all(tokenizer.decode(row, skip_special_tokens=True).startswith("u") for row in ids)
    assert trainer.value_head.weight.abs().sum() > 0


# The reference


def test_the_reference_is_the_policy_as_it_entered(train: Train, make_model: Callable) -> None:
    """Also when the same object comes from another trainer, whose wrapped `forward` a copy would inherit."""
    model = make_model()
    train(model=model, max_steps=4)
    entered = {name: weight.clone() for name, weight in model.state_dict().items()}
    trainer = train(model=model, max_steps=8, logging_steps=4)
    assert logged(trainer, "ppo/kl")[0] == 0.0
    assert abs(logged(trainer, "ppo/kl")[1]) > 0
    moved = [name for name, weight in model.state_dict().items() if not torch.equal(weight, entered[name])]
    assert len(moved) == len(entered)
    for name, weight in trainer.ref_model.state_dict().items():
        assert torch.equal(weight, entered[name])
    batch = Tokens.of(trainer._buffered_inputs[0])
    fresh = make_model()
    fresh.load_state_dict(entered)
    add_fused_lm_head(fresh)
    with torch.no_grad():
        torch.testing.assert_close(trainer._reference_logps(batch), trainer._score_tokens(fresh, batch).logps)


def test_with_lora_the_reference_is_the_base_model(build: Train, make_model: Callable) -> None:
    trainer = build(peft_config=lora())
    assert trainer.ref_model is None
    with torch.no_grad():
        for name, parameter in trainer.model.named_parameters():
            if "lora_B" in name:
                parameter += 0.1
    batch = Tokens.of(trainer._generate_and_score_completions([{"prompt": prompt} for prompt in PROMPTS]))
    base = make_model()
    add_fused_lm_head(base)
    with torch.no_grad():
        expected = trainer._score_tokens(base, batch).logps
        torch.testing.assert_close(trainer._reference_logps(batch), expected, atol=2e-6, rtol=1e-5)
        assert not torch.allclose(trainer._score_tokens(trainer.model, batch).logps, expected, atol=1e-3)


def test_model_and_reference_from_folders(train: Train, model_folder: Path, make_model: Callable) -> None:
    """The same run as with the objects, and float32 although nothing says so."""
    from_folder = train(model=model_folder, ref_model=model_folder)
    model = make_model()
    assert digest(from_folder) == digest(train(model=model, ref_model=model))
    assert from_folder.model.dtype == from_folder.ref_model.dtype == torch.float32
    other = train(model=str(model_folder), ref_model=make_model(seed=5), max_steps=1)
    assert logged(other, "ppo/kl")[0] != 0


# What is learned


def test_the_reward_rises(train: Train) -> None:
    trainer = train(max_steps=120, kl_coef=0.0, num_iterations=3, steps_per_generation=2, logging_steps=6)
    rewards = logged(trainer, "reward")
    assert len(rewards) == 20
    assert sum(rewards[:2]) / 2 < 0.3
    assert sum(rewards[-2:]) / 2 > 0.6


def test_with_lora_only_the_adapter_and_the_value_head_move(train: Train, make_model: Callable) -> None:
    trainer = train(peft_config=lora())
    for name, weight in make_model().state_dict().items():
        kept = {key.replace(".base_layer", ""): value for key, value in trainer.model.state_dict().items()}
        assert torch.equal(kept[f"base_model.model.{name}"], weight)
    trained = {name: weight for name, weight in trainer.model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[-3] if "lora" in name else name for name in trained} == {
        "lora_A",
        "lora_B",
        "base_model.model.value_head.weight",
    }
    assert all(weight.abs().sum() > 0 for weight in trained.values())
    assert trainer.value_head.bias != 0  # by calibration


def test_the_value_head_learns_to_predict(train: Train) -> None:
    """The return of a reward that never changes."""

    def always_one(completions: list[str], **kwargs: Any) -> list[float]:
        return [1.0] * len(completions)

    options = {**PLAIN, "gamma": 1.0, "lam": 1.0, "kl_coef": 0.0, "vf_coef": 1.0, "cliprange_value": 10.0}
    trainer = train(reward_funcs=always_one, **options, max_steps=60, logging_steps=4)
    assert logged(trainer, "ppo/value_mean")[0] == 0
    assert abs(logged(trainer, "ppo/value_mean")[-1] - 1) < 0.1
    assert logged(trainer, "ppo/value_loss")[-1] < 0.05 * logged(trainer, "ppo/value_loss")[0]


def test_coefficients_pull_in_their_direction(train: Train) -> None:
    base = {"max_steps": 32, "logging_steps": 4, "learning_rate": 1e-2}
    plain = train(**base, entropy_coef=0.0, kl_coef=0.0)
    curious = train(**base, entropy_coef=0.5, kl_coef=0.0)
    assert logged(curious, "ppo/entropy")[-1] > logged(plain, "ppo/entropy")[-1] + 0.02
    tied = train(**base, entropy_coef=0.0, kl_coef=2.0)
    assert logged(tied, "ppo/kl")[-1] < 0.5 * logged(plain, "ppo/kl")[-1]
    tight = train(**base, entropy_coef=0.0, kl_coef=0.0, epsilon=0.01)
    assert logged(tight, "ppo/clip_fraction")[0] > logged(plain, "ppo/clip_fraction")[0] + 0.1
    assert logged(tight, "ppo/kl")[-1] < logged(plain, "ppo/kl")[-1]
    blind = train(**base, entropy_coef=0.0, kl_coef=0.0, vf_coef=0.0, calibrate_values=False)
    assert blind.value_head.weight.abs().sum() == 0
    assert plain.value_head.weight.abs().sum() > 0


@pytest.mark.parametrize("whiten", [True, False])
def test_the_scale_of_the_rewards_does_not_weigh_the_value_loss(build: Train, whiten: bool) -> None:
    """With whitened advantages, a hundredfold reward and values to match move the trunk as far."""
    inputs, gradients = [{"prompt": prompt} for prompt in PROMPTS * 4], []
    for scale in (1, 100):
        options = {"reward_weights": [scale], "kl_coef": 0.0, "cliprange_value": 1e9, "whiten_advantages": whiten}
        trainer = build(**PLAIN, **options, vf_coef=1.0)
        set_seed(0)
        trainer.value_head.weight.data.normal_().mul_(scale / 30)
        batch = trainer._generate_and_score_completions(inputs)
        assert (batch["value_scale"] == 1) == (not whiten)
        trainer.model.eval()
        trainer.compute_loss(trainer.model, batch).backward()
        gradients.append(trainer.model.model.embed_tokens.weight.grad)
    assert torch.allclose(*gradients, atol=1e-5, rtol=1e-3) == whiten


def test_values_learn_what_is_earned_already(train: Train) -> None:
    """The trunk learns to carry it: the features of a policy alone explain about 0.2 of these returns."""
    options = {"gamma": 1.0, "kl_coef": 0.1, "entropy_coef": 0.0, "per_device_train_batch_size": 32}
    trainer = train(**PLAIN, **options, critic_lam=0.95, prompts=PROMPTS * 64, max_steps=100, logging_steps=4)
    assert statistics.mean(logged(trainer, "ppo/explained_variance")[-10:]) > 0.6


def test_lambda_changes_the_run(train: Train) -> None:
    assert digest(train(lam=0.0)) != digest(train(lam=1.0))


def test_metrics_are_there_and_finite(train: Train) -> None:
    trainer = train(eval_dataset=Dataset.from_dict({"prompt": PROMPTS}), per_device_eval_batch_size=2)
    names = (
        "kl kl_old kl_coef rlhf_reward ended value_mean value_bias explained_variance policy_loss value_loss entropy "
    )
    names += "clip_fraction value_clip_fraction advantage_first advantage_middle advantage_last"
    for name in [f"ppo/{name}" for name in names.split()] + ["reward", "rewards/share_of_vowels/mean"]:
        assert logged(trainer, name)
        assert all(math.isfinite(value) for value in logged(trainer, name))
    metrics = trainer.evaluate()
    assert math.isfinite(metrics["eval_loss"])
    assert math.isfinite(logged(trainer, "eval_ppo/policy_loss")[0])
    assert "frac_reward_zero_std" not in trainer.state.log_history[0]


def test_it_evaluates_while_it_trains(train: Train) -> None:
    held_out = Dataset.from_dict({"prompt": PROMPTS})
    trainer = train(eval_dataset=held_out, eval_strategy="steps", eval_steps=3, per_device_eval_batch_size=2)
    assert [entry["step"] for entry in trainer.state.log_history if "eval_loss" in entry] == [3, 6, 8]
    assert all(math.isfinite(value) for value in logged(trainer, "eval_ppo/value_loss"))
    assert not logged(trainer, "eval_frac_reward_zero_std")


def weights(trainer: PPOTrainer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])


@pytest.mark.parametrize("passes", [1, 2])
def test_accumulation_changes_nothing_but_memory(train: Train, make_model: Callable, passes: int) -> None:
    """Every token of an optimizer step weighs the same, in whatever batches the step is made."""
    options = {"max_steps": 2 * passes, "num_iterations": passes, "vf_coef": 1.0, "cliprange_value": 0.05}
    sizes = ((12, 1), (6, 2), (4, 3), (1, 12))
    runs = [train(**options, per_device_train_batch_size=b, gradient_accumulation_steps=n) for b, n in sizes]
    whole, *others = map(weights, runs)
    before = torch.cat([parameter.detach().flatten() for parameter in make_model().parameters()])
    update = (whole[: len(before)] - before).abs().max()
    lengths = [row["completion_mask"].sum() for row in runs[-1]._buffered_inputs]
    assert len(set(map(int, lengths))) > 2, "the test needs completions of different lengths"
    for other in others:
        assert (other - whole).abs().max() < 0.02 * update
    for name in ("loss", "ppo/policy_loss", "ppo/value_loss", "ppo/entropy", "ppo/clip_fraction"):
        for run in runs[1:]:
            torch.testing.assert_close(logged(run, name), logged(runs[0], name), atol=1e-4, rtol=1e-3)


# The critic


def test_calibrated_values_have_not_seen_their_completion(build: Train) -> None:
    """The head's own values have the mean of the returns; the advantages' baseline is the mean of the others."""
    trainer = build(kl_coef=0.0, gamma=1.0, lam=1.0, whiten_advantages=False)
    batch = trainer._generate_and_score_completions([{"prompt": prompt} for prompt in PROMPTS * 4])
    lengths, scores = batch["completion_mask"].sum(1), trainer._scores
    mean = (lengths * scores).sum() / lengths.sum()
    torch.testing.assert_close(trainer.value_head.bias[0], mean)
    mask = batch["completion_mask"].bool()
    torch.testing.assert_close(batch["old_values"][mask], mean.expand(int(lengths.sum())))
    for row in range(16):
        rest = lengths.index_fill(0, torch.tensor([row]), 0)
        baseline = (rest * scores).sum() / rest.sum()
        torch.testing.assert_close(batch["advantages"][row, 0], scores[row] - baseline)


@pytest.mark.parametrize("peft", [False, True], ids=["full", "lora"])
def test_a_critic_with_a_trunk_of_its_own(train: Train, make_model: Callable, peft: bool) -> None:
    """It learns, also from a checkpoint, and the value loss does not touch the policy."""
    options = {"value_model": "separate", "save_strategy": "steps", "save_steps": 4, "max_steps": 8}
    whole = train(**options, peft_config=lora() if peft else None)
    moved = {
        name: weight
        for name, weight in whole.value_head.trunk.named_parameters()
        if weight.requires_grad and weight.abs().sum() > 0
    }
    assert all(("lora" in name) == peft for name in moved)
    assert moved
    if not peft:
        untouched = make_model().base_model.state_dict()
        assert all(not torch.equal(weight, untouched[name]) for name, weight in moved.items())
    checkpoint = f"{whole.args.output_dir}/checkpoint-4"
    resumed = train(**options, peft_config=lora() if peft else None, resume=checkpoint)
    assert digest(resumed) == digest(whole)
    assert not any("value_head" in name for name in whole.model.state_dict())
    whole.model.zero_grad()
    batch = whole._buffered_inputs[0]
    whole.args.vf_coef = 1e9
    whole.compute_loss(whole.model, batch).backward()
    of_policy = [
        p.grad.abs().max() for n, p in whole.model.named_parameters() if p.grad is not None and "head" not in n
    ]
    of_critic = [p.grad.abs().max() for p in whole.value_head.learned() if p.grad is not None]
    assert max(of_policy) < 1e-3 * max(of_critic)


@pytest.mark.parametrize("peft", [False, True], ids=["full", "lora"])
def test_a_critic_from_a_reward_model(train: Train, tiny_config: Any, tmp_path: Path, peft: bool) -> None:
    torch.manual_seed(7)
    reward_model = LlamaForSequenceClassification(type(tiny_config)(**{**tiny_config.to_dict(), "num_labels": 1}))
    reward_model.save_pretrained(tmp_path / "reward-model")
    trainer = train(value_model=str(tmp_path / "reward-model"), max_steps=4, peft_config=lora() if peft else None)
    now = {name.replace(".base_layer", ""): weight for name, weight in trainer.value_head.trunk.named_parameters()}
    for name, weight in reward_model.model.named_parameters():
        assert torch.equal(now[name], weight) == peft
    assert all(("lora" in name) == weight.requires_grad for name, weight in now.items() if peft)
    assert not peft or all(weight.abs().sum() > 0 for name, weight in now.items() if "lora_B" in name)


# Scores


@pytest.mark.parametrize(("scale", "offset"), [(1.0, -10.0), (1.0, 5.0), (0.1, 0.0), (100.0, 0.0)])
def test_offset_and_scale_of_the_reward_teach_the_same(train: Train, scale: float, offset: float) -> None:
    def other(completions: list[str], **kwargs: Any) -> list[float]:
        return [scale * score + offset for score in share_of_vowels(completions)]

    plain, changed = train(max_steps=8), train(reward_funcs=other, max_steps=8)
    assert (weights(plain) - weights(changed)).abs().max() < 1e-2 * 3e-3 * 8  # a hundredth of what Adam moves
    assert logged(plain, "ppo/explained_variance") == pytest.approx(logged(changed, "ppo/explained_variance"), abs=1e-3)


@pytest.mark.parametrize("treatment", ["score", "penalty", "bootstrap"])
def test_completions_that_did_not_end(build: Train, treatment: str) -> None:
    trainer = build(
        truncated_completions=treatment, truncation_penalty=7.0, gamma=0.5, kl_coef=0.0, max_completion_length=4
    )
    trainer.value_head.bias.data.fill_(3.0)
    batch = trainer._generate_and_score_completions([{"prompt": prompt} for prompt in PROMPTS * 8])
    ended = trainer._has_ended(Tokens.of(batch))
    assert 0 < ended.sum() < len(ended)
    last = batch["completion_mask"].sum(1, keepdim=True) - 1
    earned = batch["returns"].gather(1, last)[:, 0]
    expected = {"score": trainer._scores, "penalty": trainer._scores - 7, "bootstrap": torch.full_like(earned, 1.5)}
    torch.testing.assert_close(earned, torch.where(ended, trainer._scores, expected[treatment]))


def test_the_kl_coefficient_adapts_and_is_restored(train: Train) -> None:
    options = {"kl_coef": 0.1, "kl_target": 1e-6, "kl_horizon": 160, "max_steps": 16}
    options.update(save_strategy="steps", save_steps=8)
    whole = train(**options)
    coefficients, kls = logged(whole, "ppo/kl_coef"), logged(whole, "ppo/kl")
    assert len(set(coefficients)) == 4
    for before, kl, after in zip(coefficients, kls, [*coefficients[1:], whole.kl_coef], strict=True):
        assert after == pytest.approx(adapted_kl_coef(before, kl, 1e-6, 16, 160))
    resumed = train(**options, resume=f"{whole.args.output_dir}/checkpoint-8")
    assert resumed.kl_coef == whole.kl_coef
    assert digest(resumed) == digest(whole)


# Architectures


def test_without_dropout_the_first_ratios_are_one(build: Train) -> None:
    """Dropout would act in the losses, not in the rollout that they are compared with."""
    fractions = {}
    for disable in (True, False):
        torch.manual_seed(0)
        size = {"vocab_size": 29, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2}
        model = GPT2LMHeadModel(GPT2Config(**size, bos_token_id=1, eos_token_id=1))
        options = {"num_iterations": 1, "max_steps": 1, "epsilon": 0.001}
        trainer = build(model=model, **options, **({} if disable else {"disable_dropout": False}))
        trainer.train()
        fractions[disable] = logged(trainer, "ppo/clip_fraction")[0]
    assert fractions[True] == 0
    assert fractions[False] > 0.1


def test_a_head_that_is_narrower_than_the_layers(train: Train) -> None:
    """As in OPT-350m, where the embeddings have 512 dimensions and the layers 1024."""
    size = {"vocab_size": 29, "hidden_size": 32, "word_embed_proj_dim": 16, "ffn_dim": 32, "num_hidden_layers": 2}
    config = OPTConfig(
        **size, num_attention_heads=2, max_position_embeddings=64, pad_token_id=0, do_layer_norm_before=False
    )
    torch.manual_seed(0)
    trainer = train(model=OPTForCausalLM(config), max_steps=2)
    assert trainer.value_head.weight.shape == (1, 16)
    assert trainer.value_head.weight.abs().sum() > 0


def test_the_balance_of_experts_is_part_of_the_loss(build: Train) -> None:
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    experts = {"num_local_experts": 4, "num_experts_per_tok": 2}
    losses = {}
    for coefficient in (0.0, 0.5):
        torch.manual_seed(0)
        config = MixtralConfig(vocab_size=29, num_key_value_heads=2, **size, **experts, eos_token_id=1)
        trainer = build(model=MixtralForCausalLM(config), router_aux_loss_coef=coefficient, num_iterations=1)
        set_seed(0)
        trainer.train()
        losses[coefficient] = logged(trainer, "loss")[0]
    (balance,) = {round(value, 4) for value in logged(trainer, "ppo/aux_loss")[:1]}
    assert balance > 1
    assert losses[0.5] - losses[0.0] == pytest.approx(0.5 * balance, rel=0.01)


def test_a_dense_model_has_no_experts_to_balance(build: Train) -> None:
    with pytest.raises(ValueError, match="not a Mixture-of-Experts"):
        build(router_aux_loss_coef=0.1)


# Determinism, checkpoints, saving


def test_two_runs_give_the_same_weights(train: Train) -> None:
    first, second = train(), train()
    assert digest(first) == digest(second)
    assert digest(first) != digest(train(seed=1, data_seed=1, learning_rate=2e-3))


@pytest.mark.parametrize("peft", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize(
    ("passes", "batches", "accumulate", "step"),
    [(1, 1, 1, 3), (3, 2, 1, 6), (3, 2, 1, 4), (2, 4, 2, 5)],
    ids=["one pass", "between rollouts", "within a rollout", "in the second epoch"],
)
def test_resuming_is_bit_identical(
    train: Train, peft: bool, passes: int, batches: int, accumulate: int, step: int
) -> None:
    """In a fresh trainer, at the end of a rollout and in the middle of one."""
    options = {"max_steps": 14, "save_strategy": "steps", "save_steps": step, "num_iterations": passes}
    options.update(steps_per_generation=batches, gradient_accumulation_steps=accumulate)
    whole = train(**options, peft_config=lora() if peft else None)
    checkpoint = f"{whole.args.output_dir}/checkpoint-{step}"
    resumed = train(**options, peft_config=lora() if peft else None, resume=checkpoint)
    assert digest(resumed) == digest(whole)
    for name in ("reward", "ppo/kl", "ppo/value_loss"):
        assert logged(resumed, name) == logged(whole, name)
    head = torch.load(f"{checkpoint}/ppo_state_0.pt", weights_only=True)["value_head"][0]
    assert head.abs().sum() > 0
    assert not torch.equal(head, whole.value_head.weight)


def test_a_checkpoint_of_another_trainer_is_refused(train: Train) -> None:
    trainer = train(save_strategy="steps", save_steps=4)
    checkpoint = Path(trainer.args.output_dir) / "checkpoint-4"
    (checkpoint / "ppo_state_0.pt").unlink()
    with pytest.raises(FileNotFoundError, match=r"resume_from_checkpoint: .*ppo_state_0.pt is missing"):
        train(save_strategy="steps", save_steps=4, resume=str(checkpoint))


@pytest.mark.parametrize("peft", [False, True], ids=["full", "lora"])
def test_what_is_saved_is_a_plain_language_model(train: Train, tmp_path: Path, peft: bool) -> None:
    trainer = train(peft_config=lora() if peft else None, save_strategy="steps", save_steps=8)
    folder = tmp_path / "saved"
    if peft:
        policy = trainer.accelerator.unwrap_model(trainer.model).merge_and_unload()
        policy.save_pretrained(folder)
    else:
        policy = trainer.model
        trainer.save_model(str(folder))
    assert trainer.value_head.weight.abs().sum() > 0
    ids = torch.tensor([[3, 4, 5, 6]])
    for saved in [folder] if peft else [folder, Path(trainer.args.output_dir) / "checkpoint-8"]:
        model, info = AutoModelForCausalLM.from_pretrained(saved, output_loading_info=True)
        assert not any(info.values())
        with torch.no_grad():
            torch.testing.assert_close(model(ids).logits, policy(ids).logits)


def test_bfloat16_leaves_the_value_head_in_float32(train: Train, model_folder: Path) -> None:
    options = {"model": model_folder, "bf16": True, "model_init_kwargs": {"dtype": "bfloat16"}}
    trainer = train(**options)
    assert trainer.model.lm_head.weight.dtype == trainer.ref_model.lm_head.weight.dtype == torch.bfloat16
    assert trainer.value_head.weight.dtype == torch.float32
    values = trainer._buffered_inputs[0]["old_values"]
    assert not torch.equal(values, values.bfloat16().float())
    assert all(math.isfinite(value) for value in logged(trainer, "ppo/value_loss"))
    again = train(**options)
    assert torch.equal(again.value_head.weight, trainer.value_head.weight)


TWO_PROCESSES = """
import sys, torch
from datasets import Dataset
from transformers import AutoTokenizer
from ryven_llm_nodes.runtime.ppo import PPOConfig, PPOTrainer

torch.set_num_threads(1)
folder, out = sys.argv[1:]
def reward(completion_ids, **kwargs):
    return [float(ids[0]) for ids in completion_ids]
config = PPOConfig(output_dir=out, kl_coef=0.0, normalize_scores=False, per_device_train_batch_size=4,
    num_iterations=2, max_steps=4, max_completion_length=4, learning_rate=1e-2, gradient_checkpointing=False,
    save_strategy="no", report_to="none", logging_steps=1, use_cpu=True, bf16=False, ddp_backend="gloo",
    disable_tqdm=True)
trainer = PPOTrainer(folder, reward, config, processing_class=AutoTokenizer.from_pretrained(folder),
    train_dataset=Dataset.from_dict({"prompt": ["a b", "c", "d e f", "g"] * 4}))
trainer.train()
gather = trainer.accelerator.gather
batch = trainer._buffered_inputs[0]
last = batch["completion_mask"].sum(1, keepdim=True) - 1
weights = torch.cat([p.detach().flatten() for p in trainer.model.parameters()])
result = {"weights": gather(weights[None]), "head": trainer.value_head.weight.detach(),
    "first": batch["completion_ids"][:, 0].float(), "last_return": batch["returns"].gather(1, last)[:, 0]}
torch.save(result, f"{out}-{trainer.accelerator.process_index}.pt")
torch.distributed.destroy_process_group()  # its threads must not outlive the interpreter
"""


@pytest.mark.slow
def test_two_processes_stay_together(model_folder: Path, tmp_path: Path) -> None:
    """Both end with the same weights, and each takes its own completions' scores from the gathered ones."""
    script, out = tmp_path / "train.py", tmp_path / "out"
    script.write_text(TWO_PROCESSES)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    root = str(Path(ppo.__file__).parents[2])
    done = subprocess.run(
        [*launch, str(script), str(model_folder), str(out)],
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    mine, other = (torch.load(f"{out}-{rank}.pt") for rank in (0, 1))
    assert torch.equal(mine["weights"][0], mine["weights"][1])
    assert mine["head"].abs().sum() > 0
    # The reward is the id of the first token; without a KL penalty it is the return of the last.
    for process in (mine, other):
        torch.testing.assert_close(process["last_return"], process["first"])
    assert not torch.equal(mine["first"], other["first"])
