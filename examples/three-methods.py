# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "torch>=2.8,<3",
#     "transformers>=5.0,<6",
#     "trl>=1.16,<1.17",
#     "datasets>=4.7,<6",
#     "accelerate>=1.10,<2",
#     "peft>=0.18,<1",
# ]
# ///
"""three-methods: SFT -> Train Reward Model -> DPO -> PPO -> GRPO -> Evaluate -> Evaluate -> Evaluate -> Compare.

Written by ryven-llm-nodes 0.1.0 from the flow 'three-methods' of three-methods.json
(sha256 5bbe10a946b9ef2813b68bf307e44b890d7ccf5fd79369ac4a7938bedc157591)
with Python 3.11.7, torch 2.13.0, transformers 5.24.0, trl 1.16.0, datasets 5.2.0, accelerate 1.15.0, peft 0.21.2.

Run it with `python SCRIPT.py`, or on several GPUs with `accelerate launch SCRIPT.py`. Every stage
writes its model to a folder of its own under --output-dir, and the next stage starts from there.
"""

# %% Imports
import os
from pathlib import Path

# Read when the libraries below are imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # no usage pings
if "OMP_WAIT_POLICY" not in os.environ:  # idle threads soon release the processor
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=os.environ.get("GOMP_SPINCOUNT", "2500"))

from datasets import load_dataset
from peft import LoraConfig
from trl import (
    DPOConfig,
    DPOTrainer,
    GRPOConfig,
    GRPOTrainer,
    RewardConfig,
    RewardTrainer,
    SFTConfig,
    SFTTrainer,
)

# Relative paths of data and models are resolved here.
ROOT = Path(__file__).resolve().parent


# %% LoRA 'lora'
def lora() -> LoraConfig:
    return LoraConfig(
        r=8,
        lora_alpha=16,
        lora_dropout=0.0,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        task_type="CAUSAL_LM",
    )


# %% SFT 'sft'
def sft_config(output_dir: Path, **changes) -> SFTConfig:
    settings = dict(
        learning_rate=0.001,
        per_device_train_batch_size=4,
        num_train_epochs=1,
        weight_decay=0.01,
        warmup_steps=2,
        max_length=128,
        logging_steps=1,
        gradient_checkpointing=False,
        save_strategy="no",
    )
    return SFTConfig(output_dir=str(output_dir), **DEVICE | settings | changes)


# %% Train Reward Model 'judge'
def judge_config(output_dir: Path, **changes) -> RewardConfig:
    settings = dict(
        learning_rate=0.001,
        per_device_train_batch_size=4,
        num_train_epochs=1,
        max_length=160,
        logging_steps=1,
        gradient_checkpointing=False,
        warmup_steps=2,
        save_strategy="no",
    )
    return RewardConfig(output_dir=str(output_dir), **DEVICE | settings | changes)


# %% DPO 'dpo'
def dpo_config(output_dir: Path, **changes) -> DPOConfig:
    settings = dict(
        learning_rate=0.0005,
        beta=0.1,
        per_device_train_batch_size=4,
        max_length=160,
        logging_steps=1,
        gradient_checkpointing=False,
        num_train_epochs=1,
        warmup_steps=2,
        save_strategy="no",
    )
    return DPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)


# %% PPO 'ppo'
def ppo_config(output_dir: Path, **changes) -> "PPOConfig":
    settings = dict(
        learning_rate=0.001,
        epsilon=0.2,
        vf_coef=0.1,
        entropy_coef=0.01,
        gamma=0.99,
        lam=0.95,
        kl_coef=0.02,
        per_device_train_batch_size=8,
        num_iterations=2,
        max_completion_length=32,
        steps_per_generation=4,
        temperature=0.7,
        logging_steps=1,
        gradient_checkpointing=False,
        max_steps=24,
        lr_scheduler_type="constant",
        gradient_accumulation_steps=2,
        save_strategy="no",
    )
    return PPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)


# %% Reward Function 'on_topic'
import re


def on_topic(completions, topic, **kwargs):
    """One finished sentence of 5 to 16 words that speaks of what the question names: 1.0. Garbage: 0."""
    scores = []
    for completion, name in zip(completions, topic):
        text = completion if isinstance(completion, str) else completion[-1]["content"]
        words = re.findall(r"[a-z]+", text.lower())
        parts = re.findall(r"[a-z]{2,}", re.sub(r"([A-Z][a-z])", r" \1", name).lower()) or [name.lower()]
        said = sum(any(word[:4] == part[:4] for word in words) for part in parts) / len(parts)
        length = min(1.0, len(words) / 5, max(0.0, (32 - len(words)) / 16))
        finished = 1.0 if text.rstrip().endswith(".") else 0.4
        varied = len(set(words)) / max(1, len(words))
        scores.append((0.3 + 0.7 * said) * length * finished * varied)
    return scores


# %% GRPO 'grpo'
def grpo_config(output_dir: Path, **changes) -> GRPOConfig:
    settings = dict(
        learning_rate=0.001,
        epsilon=0.1,
        per_device_train_batch_size=8,
        num_generations=8,
        max_completion_length=32,
        steps_per_generation=4,
        temperature=0.7,
        num_iterations=2,
        logging_steps=1,
        gradient_checkpointing=False,
        max_steps=24,
        lr_scheduler_type="constant",
        gradient_accumulation_steps=2,
        save_strategy="no",
    )
    return GRPOConfig(output_dir=str(output_dir), **DEVICE | settings | changes)


# %% The pipeline
def main(pipeline: "Pipeline") -> None:
    """Run every stage, each from the model folder of the previous one."""
    base = "HuggingFaceTB/SmolLM2-135M-Instruct"
    answers = load_dataset(
        "json",
        data_files=str(ROOT / "three-methods-data/answers.jsonl"),
        split="train",
    )
    sft = pipeline.train(
        "sft",
        SFTTrainer,
        sft_config,
        model=base,
        train_dataset=answers,
        peft_config=lora(),
        save=save_merged,
    )
    preferences = load_dataset(
        "json",
        data_files=str(ROOT / "three-methods-data/preferences.jsonl"),
        split="train",
    )
    judge = pipeline.train(
        "judge",
        RewardTrainer,
        judge_config,
        model=sft,
        train_dataset=preferences,
        peft_config=with_score_head(lora()),
        save=save_merged,
    )
    dpo = pipeline.train(
        "dpo",
        DPOTrainer,
        dpo_config,
        model=sft,
        train_dataset=preferences,
        peft_config=lora(),
        save=save_merged,
    )
    prompts = load_dataset(
        "json",
        data_files=str(ROOT / "three-methods-data/prompts.jsonl"),
        split="train",
    )
    ppo = pipeline.train(
        "ppo",
        PPOTrainer,
        ppo_config,
        model=sft,
        reward_funcs=[RewardModel(judge, name="judge", add_eos=True)],
        train_dataset=prompts,
        peft_config=lora(),
        save=save_merged,
    )
    grpo = pipeline.train(
        "grpo",
        GRPOTrainer,
        grpo_config,
        model=sft,
        reward_funcs=[on_topic],
        train_dataset=prompts,
        peft_config=lora(),
        save=save_merged,
    )
    held_out = load_dataset(
        "json",
        data_files=str(ROOT / "three-methods-data/held_out.jsonl"),
        split="train",
    )
    after_ppo = make_report(
        pipeline,
        "after_ppo",
        evaluate,
        model=ppo,
        rows=held_out,
        baseline=sft,
        rewards=[on_topic, RewardModel(judge, name="judge", add_eos=True)],
        temperature=0.7,
        max_completion_length=32,
        batch_size=32,
    )
    after_dpo = make_report(
        pipeline,
        "after_dpo",
        evaluate,
        model=dpo,
        rows=held_out,
        baseline=sft,
        rewards=[on_topic, RewardModel(judge, name="judge", add_eos=True)],
        temperature=0.7,
        max_completion_length=32,
        batch_size=32,
    )
    after_grpo = make_report(
        pipeline,
        "after_grpo",
        evaluate,
        model=grpo,
        rows=held_out,
        baseline=sft,
        rewards=[on_topic, RewardModel(judge, name="judge", add_eos=True)],
        temperature=0.7,
        max_completion_length=32,
        batch_size=32,
    )
    make_report(
        pipeline,
        "comparison",
        compare,
        after_ppo=after_ppo,
        after_dpo=after_dpo,
        after_grpo=after_grpo,
    )


# %% Support: what the rest of this script needs
import argparse
import ast
import asyncio
import copy
import dataclasses
import gc
import hashlib
import inspect
import json
import math
import re
import shutil
import typing
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property, partial
from operator import ge, gt, le, lt
from statistics import NormalDist
from typing import Annotated, Any, ClassVar, Self, get_args

import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from peft import PeftModel, TaskType
from peft.tuners.lora import LoraLayer
from torch import nn
from torch.nn.functional import cross_entropy, pad
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import apply_chat_template, extract_prompt, is_conversational
from trl.trainer.utils import RepeatSampler, add_fused_lm_head, create_model_from_path

# %% Support: Shared by all stages: precision of the machine, freeing memory, and saving a policy
# bfloat16 on GPUs that support it, float32 on a CPU.
GPU = torch.cuda.is_available()


DEVICE = {
    "use_cpu": not torch.accelerator.is_available(),
    "bf16": GPU and torch.cuda.is_bf16_supported(),
    "dataloader_pin_memory": GPU,
}


def release_memory() -> None:
    """Free the memory of the previous stage: a trainer is part of a reference cycle, so it outlives its function."""
    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()


def refuse_untrained(trainer: Trainer) -> None:
    """Raise ValueError if no optimizer step was made: the saved model would be the initial one."""
    if trainer.state.global_step:
        return
    args, rows = trainer.args, len(trainer.train_dataset)
    if hasattr(args, "generation_batch_size"):
        wanted = args.generation_batch_size // args.num_generations
    else:
        wanted = args.train_batch_size * args.world_size if args.dataloader_drop_last else 1
    why = f"the {rows} remaining rows do not fill one batch of {wanted}" if rows < wanted else "there was no batch"
    raise ValueError(
        f"no optimizer step was made, so nothing was learned: {why}. Use more rows, or lower "
        "per_device_train_batch_size or gradient_accumulation_steps."
    )


def save_policy(trainer: Trainer, folder: Path) -> None:
    """Write the trained policy and its tokenizer."""
    refuse_untrained(trainer)
    trainer.save_model(str(folder))


def copy_model(
    model: str, folder: Path, dtype: str = "auto", revision: str | None = None, trust_remote_code: bool = False
) -> Path:
    """Write the model at a Hub id or folder, and its tokenizer, to another folder, in precision ``dtype``."""
    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    with PartialState().local_main_process_first():
        if PartialState().is_main_process:
            AutoModelForCausalLM.from_pretrained(model, dtype=dtype, **where).save_pretrained(folder)
            AutoTokenizer.from_pretrained(model, **where).save_pretrained(folder)
    return folder


# %% Support: Saving a trained LoRA adapter: merged into its model, reloaded, and compared
ADAPTER_FOLDER = "adapter"  # subfolder of a stage that holds the adapter itself


def with_score_head(adapter: LoraConfig) -> LoraConfig:
    """The same adapter for a sequence classifier, whose score head is trained in full and saved with it."""
    adapter.task_type = TaskType.SEQ_CLS
    return adapter


def save_merged(trainer: Trainer, folder: Path, keep_adapter: bool = False) -> None:
    """Write the trained policy, its LoRA adapter merged into it, and its tokenizer.

    The stage is finished only if the model, reloaded from the folder, gives the logits of base model plus adapter.
    With `keep_adapter`, `folder / "adapter"` holds the adapter for PeftModel.from_pretrained.
    """
    refuse_untrained(trainer)
    policy = trainer.accelerator.unwrap_model(trainer.model).eval()
    if trainer.accelerator.is_main_process:
        policy.save_pretrained(folder / ADAPTER_FOLDER)  # so that nothing is lost if the merge fails
        if getattr(policy.get_base_model(), "is_quantized", False):
            policy = on_original_weights(policy, folder / ADAPTER_FOLDER, trainer.args)
        expected = fixed_logits(policy.get_base_model())
        merged = merge_adapter(policy)
        merged.save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
        require_same_logits(merged, folder, expected)
        if not keep_adapter:
            shutil.rmtree(folder / ADAPTER_FOLDER)


def on_original_weights(policy: PeftModel, adapter: Path, args: TrainingArguments) -> PeftModel:
    """The adapter of a quantized policy on the weights before they were quantized, which a merge would round."""
    base = policy.get_base_model()
    where = {"trust_remote_code": args.trust_remote_code, "revision": (args.model_init_kwargs or {}).get("revision")}
    settings = {"num_labels": 1} if base.config.num_labels == 1 else {}
    original = type(base).from_pretrained(base.config._name_or_path, dtype=base.dtype, **settings, **where)
    return PeftModel.from_pretrained(original, adapter).eval()


@torch.no_grad()
def merge_adapter(policy: PeftModel) -> PreTrainedModel:
    """Add the adapter to the weights, in float32, and round to their dtype; warn if rounding loses too much.

    bfloat16 has about three significant digits: a change below 1/500 of a weight is lost.
    """
    untie_embeddings(policy.get_base_model())
    lost = learned = 0.0
    for layer in (module for module in policy.modules() if isinstance(module, LoraLayer)):
        change = sum(layer.get_delta_weight(name).float() for name in layer.active_adapters)
        wanted = layer.weight.float() + change
        layer.merge()
        lost += (layer.weight.float() - wanted).square().sum().item()
        learned += change.square().sum().item()
    if lost > 0.01 * learned:
        share, dtype = (lost / learned) ** 0.5, str(policy.dtype).removeprefix("torch.")
        remedy = "load the model in float32 (dtype), or keep the adapter (keep_adapter)"
        warnings.warn(f"{dtype} rounds away {share:.0%} of what the adapter learned: {remedy}", stacklevel=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All adapters are already merged")
        return policy.merge_and_unload()


def untie_embeddings(model: PreTrainedModel) -> None:
    """Untie input and output embeddings if only one of them was trained by an adapter."""
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    is_adapted = isinstance(inputs, LoraLayer) or isinstance(outputs, LoraLayer)
    if is_adapted and outputs is not None and outputs.weight is inputs.weight:
        layer = outputs.get_base_layer() if isinstance(outputs, LoraLayer) else outputs
        layer.weight = nn.Parameter(outputs.weight.detach().clone(), requires_grad=False)
        model.config.tie_word_embeddings = model.config.get_text_config().tie_word_embeddings = False


@torch.no_grad()
def fixed_logits(model: PreTrainedModel) -> torch.Tensor:
    """The logits (2, 16, V) of tokens spread over the vocabulary."""
    size = model.get_input_embeddings().weight.shape[0]
    tokens = torch.linspace(0, size - 1, 32).long().view(2, 16)
    return model(input_ids=tokens.to(model.device)).logits.float().cpu()


def require_same_logits(merged: PreTrainedModel, folder: Path, expected: torch.Tensor) -> None:
    """Raise RuntimeError unless the model in `folder` gives the `expected` logits; `merged` is freed first."""
    kind, dtype, device, attention = type(merged), merged.dtype, merged.device, merged.config._attn_implementation
    merged.to("meta")
    release_memory()
    saved = kind.from_pretrained(folder, dtype=dtype, attn_implementation=attention).to(device).eval()
    error = ((fixed_logits(saved) - expected).norm() / expected.norm()).item()
    rounding = max(torch.finfo(dtype).eps, 0 if device.type == "cpu" else 2**-10)  # TF32 on a GPU
    if not error <= rounding**0.5:
        raise RuntimeError(
            f"the saved model differs from the trained one: its logits have a relative error of {error:.2g}, where "
            f"{rounding**0.5:.2g} is allowed. Leave embeddings and heads out of target_modules and train again, or use "
            f"the adapter itself, which is saved in {folder / ADAPTER_FOLDER} (PeftModel.from_pretrained)."
        )


# %% Support: Atomic checkpoints, and resuming from the newest one
FINISHED = "finished"  # marks the folder of a stage whose model is saved


class AtomicCheckpoints(TrainerCallback):
    """Moves each checkpoint into `folder` once it is fully on disk.

    The trainer writes to its `output_dir`, a staging folder; anything found there is left over from a crash. With
    `save_total_limit` the oldest are removed only after the next one is in place. GRPO and PPO use a rollout for
    several steps and GRPO does not save it, so a checkpoint that is due mid-rollout waits for the end of the rollout.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.is_due = folder, False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Restore what a checkpoint does not contain: the path of the best one, and the order of the rows."""
        if state.best_model_checkpoint and not os.path.exists(state.best_model_checkpoint):
            state.best_model_checkpoint = str(self.folder / Path(state.best_model_checkpoint).name)
        sampler = innermost_sampler(kwargs.get("train_dataloader"))
        if isinstance(sampler, RepeatSampler) and sampler.shuffle:
            for _ in range(int(state.epoch or 0)):  # GRPO draws one order after the other
                torch.randperm(sampler.num_samples, generator=sampler.generator)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Defer a checkpoint until the rollout is used up."""
        self.is_due |= control.should_save
        control.should_save = self.is_due and not is_amid_rollout(args, state.global_step)
        self.is_due &= not control.should_save
        return control

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Move the checkpoint that was just written."""
        name = f"checkpoint-{state.global_step}"
        written, kept = Path(args.output_dir) / name, self.folder / name
        PartialState().wait_for_everyone()
        if state.is_world_process_zero:
            flush(written)
            shutil.rmtree(kept, ignore_errors=True)
            os.replace(written, kept)
            self.remove_oldest(args.save_total_limit, state.best_model_checkpoint)
        if state.best_model_checkpoint == str(written):
            state.best_model_checkpoint = str(kept)
        PartialState().wait_for_everyone()

    def remove_oldest(self, limit: int | None, best: str | None) -> None:
        """Keep the newest `limit` checkpoints, and the best."""
        for checkpoint in checkpoints(self.folder)[: -(limit or 10**9)]:
            if best is None or checkpoint.name != Path(best).name:
                shutil.rmtree(checkpoint, ignore_errors=True)


def innermost_sampler(loader: Any) -> Any:
    """The sampler of a data loader, below any wrappers that shard or skip batches."""
    while hasattr(loader, "batch_sampler"):
        loader = loader.batch_sampler
    return getattr(loader, "sampler", None)


def is_amid_rollout(args: TrainingArguments, step: int) -> bool:
    """Whether optimizer step `step + 1` uses the same rollout as step `step`. False without rollouts."""
    if not hasattr(args, "steps_per_generation"):
        return False
    batches_per_rollout = args.steps_per_generation * args.num_iterations
    return step * args.gradient_accumulation_steps % batches_per_rollout != 0


def flush(folder: Path) -> None:
    """Make sure that every file of `folder` has reached the disk."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, oldest first."""
    found = [path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name)]
    return sorted(found, key=lambda path: int(path.name.split("-")[1]))


def newest_checkpoint(folder: Path) -> str | None:
    """The checkpoint to resume from, or None to start; half-written ones left by a crash are removed.

    Nothing else is removed: the trainer has already created files there, such as logged completions.
    """
    if PartialState().is_main_process:
        for leftover in (folder / "unfinished").glob("*checkpoint-*"):
            shutil.rmtree(leftover, ignore_errors=True)
    return next((str(path) for path in reversed(checkpoints(folder)) if is_complete(path)), None)


def is_complete(checkpoint: Path) -> bool:
    """Whether a checkpoint is complete: a disk failure may leave files missing or truncated."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())  # the trainer writes this file last
        damaged = [path.name for path in checkpoint.iterdir() if is_cut_short(path)]
    except (OSError, ValueError) as error:
        damaged = [str(error)]
    if damaged and PartialState().is_main_process:
        print(f"{checkpoint} is incomplete ({', '.join(damaged)}): resuming from the previous one")
    return not damaged


def is_cut_short(path: Path) -> bool:
    """Whether a tensor file is truncated; raises ValueError if it does not start like one."""
    if path.suffix in (".pt", ".pth", ".bin"):
        return not zipfile.is_zipfile(path)  # a zip file, its directory is at the end
    if path.suffix != ".safetensors":
        return False
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")  # of the header
        header = json.loads(file.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    return 8 + length + max(ends, default=0) != path.stat().st_size


def is_finished(output_dir: Path) -> bool:
    """Whether a stage has saved its model in `output_dir`."""
    return (output_dir / FINISHED).is_file()


def finish_stage(folder: Path) -> None:
    """Mark a stage as finished, once its entire folder has reached the disk."""
    if PartialState().is_main_process:
        flush(folder)
    PartialState().wait_for_everyone()
    (folder / FINISHED).touch()


def start_over(output_dir: Path, stage: str | None = None) -> None:
    """Discard finished stages and checkpoints of an earlier run in `output_dir`, or those of one `stage`."""
    if PartialState().is_main_process:
        for path in output_dir.glob(f"{stage or '*'}/{FINISHED}"):
            path.unlink()
        for path in output_dir.glob(f"{stage or '*'}/checkpoints"):
            shutil.rmtree(path)
    PartialState().wait_for_everyone()


# %% Support: Bootstrap confidence intervals of means, and tests of paired differences
RESAMPLES = 2000
FLIPS = 10000
NORMAL = NormalDist()


def interval(values: Sequence[float], weights: Sequence[float] | None = None, level: float = 0.95) -> dict[str, float]:
    """The (weighted) mean of `values` as `value`, and its BCa bootstrap interval as `low` and `high`.

    Rows are resampled, with their weights. BCa corrects the percentiles for bias and skewness (Efron, "Better Bootstrap
    Confidence Intervals", 1987). The draws are the same for the same number of rows.
    """
    x = torch.tensor(values, dtype=torch.float64)
    w = torch.ones_like(x) if weights is None else torch.tensor(weights, dtype=torch.float64)
    mean = ((x * w).sum() / w.sum()).item()
    if len(x) < 2 or x.min() == x.max():
        return {"value": mean, "low": mean, "high": mean}
    means = resampled_means(x, w)
    low, high = torch.quantile(means, torch.tensor(bca_levels(x, w, mean, means, level), dtype=torch.float64)).tolist()
    return {"value": mean, "low": low, "high": high}


def resampled_means(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The weighted means of `RESAMPLES` draws of as many rows, with replacement."""
    generator, means = torch.Generator().manual_seed(len(x)), []
    for _ in range(0, RESAMPLES, 100):  # in parts: indices of all draws at once would take too much memory
        rows = torch.randint(len(x), (100, len(x)), generator=generator)
        means.append((x[rows] * w[rows]).sum(1) / w[rows].sum(1))
    return torch.cat(means)


def bca_levels(x: torch.Tensor, w: torch.Tensor, mean: float, means: torch.Tensor, level: float) -> list[float]:
    """The quantiles of the resampled `means` that bound the interval."""
    below = (means < mean).double().mean().item()
    bias = NORMAL.inv_cdf(min(max(below, 1 / RESAMPLES), 1 - 1 / RESAMPLES))
    influence = w * (x - mean)
    skewness = ((influence**3).sum() / (6 * (influence**2).sum() ** 1.5)).item()
    widening = (len(x) / (len(x) - 1)) ** 0.5  # a resample underestimates the variance by 1/n
    shifts = (bias + widening * NORMAL.inv_cdf(tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    return [NORMAL.cdf(bias + shift / (1 - skewness * shift)) for shift in shifts]


def sign_flip_test(differences: Sequence[float]) -> float:
    """The two-sided p-value of paired differences having mean 0, by `FLIPS` random flips of their signs."""
    d = torch.tensor(differences, dtype=torch.float64)
    if not d.any():
        return 1.0
    generator = torch.Generator().manual_seed(len(d))
    observed, larger = d.sum().abs().item(), 0
    for _ in range(0, FLIPS, 100):
        signs = torch.randint(2, (100, len(d)), generator=generator) * 2 - 1
        larger += ((signs * d).sum(1).abs() >= observed * (1 - 1e-12)).sum().item()
    return (larger + 1) / (FLIPS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm, 1979), in the same order."""
    corrected, running = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = running
    return corrected


# %% Support: Measures models on held-out rows by what the rows allow: loss, preference accuracy, and rewards of samples
Row = Mapping[str, object]
SIDES = ("chosen", "rejected")
LOWER_IS_BETTER = ("loss", "perplexity")
KEPT = {}  # what models were measured so far; several evaluations may have the same baseline


def evaluate(
    model: str,
    rows: Sequence[Row],
    baseline: str | None = None,
    rewards: Sequence[Callable] = (),
    limit: int | None = None,
    samples: int = 1,
    temperature: float = 1.0,
    max_completion_length: int = 128,
    max_length: int | None = 1024,
    batch_size: int = 8,
    seed: int = 42,
    load: Mapping[str, object] | None = None,
    baseline_load: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """What the model in a folder is worth on `rows`, with 95 % intervals, and how it differs from `baseline`.

    Rows with `completion`, `messages` or `text` give the loss per trained token, tokenized as TRL's SFTTrainer does,
    and the perplexity; rows with `chosen` and `rejected` the share of pairs whose chosen completion is more likely,
    and the margin of log-probabilities; with `rewards`, prompts are sampled from, and how often that gives more than
    `baseline` is the win rate; with pairs, also how often a reward prefers the chosen completion. Both models get the
    same seeds. A model that was measured before on these rows, with the same settings, is not loaded again.
    """
    rows = [dict(row) for row in rows][:limit]
    places = {"model": (model, load or {})} | ({"baseline": (baseline, baseline_load or {})} if baseline else {})
    found = {}
    for name, (place, options) in places.items():
        measured = Measured(place, batch_size, max_length, **options)
        found[name] = {**measured.once("of_rows", rows)}
        if rewards:
            seeds = range(seed, seed + samples)
            draws = [measured.once("sampled", rows, temperature, max_completion_length, number) for number in seeds]
            found[name] |= of_samples(rows, rewards, draws) | of_preferences(rows, rewards)
        del measured
        gc.collect()
    if baseline:
        add_win_rates(found["baseline"], found["model"])
    prompts = [row["prompt"] for row in rows] if rewards else []
    report = {"rows": len(rows), "rows_sha256": fingerprint(rows), "prompts": prompts, **found}
    return {**report, "difference": differences_of(found["baseline"], found["model"])} if baseline else report


def fingerprint(rows: Sequence[Row]) -> str:
    """The sha256 of the rows, by which reports of the same ones are told."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True, default=repr).encode()).hexdigest()


class Measured:
    """A model, loaded when it is needed, with the measures of rows. Rows of more than `max_length` tokens are cut."""

    def __init__(self, folder: str, batch_size: int = 8, max_length: int | None = None, **load: object) -> None:
        self.folder, self.batch_size, self.max_length, self.load = folder, batch_size, max_length, load

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer, which can pad."""
        tokenizer = AutoTokenizer.from_pretrained(self.folder, **self.load)
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        return tokenizer

    @cached_property
    def model(self) -> PreTrainedModel:
        """The weights, on the GPU if there is one."""
        device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
        model = AutoModelForCausalLM.from_pretrained(self.folder, **{"dtype": "float32", **self.load})
        return model.to(device).eval()

    def once(self, what: str, rows: Sequence[Row], *settings: float) -> object:
        """What the method called `what` gives, found once in this process for a model, rows, and settings."""
        model = (self.folder, repr(sorted(self.load.items())), self.batch_size, self.max_length)
        key = (*model, what, fingerprint(rows), *settings)
        if key not in KEPT:
            KEPT[key] = getattr(self, what)(rows, *settings)
        return KEPT[key]

    # Likelihoods

    def of_rows(self, rows: Sequence[Row]) -> dict[str, dict[str, object]]:
        """The measures that need no samples; those that fit the columns of the rows."""
        if "chosen" in rows[0] and "rejected" in rows[0]:
            return self.of_pairs(rows)
        if {"completion", "messages", "text"} & set(rows[0]):
            return self.of_texts(rows)
        return {}

    def of_texts(self, rows: Sequence[Row]) -> dict[str, dict[str, object]]:
        """Mean loss over all trained tokens in nats, and its exponential."""
        sums, counts = zip(*self.log_likelihoods([self.tokens(row) for row in rows]), strict=True)
        used = [i for i, count in enumerate(counts) if count]
        losses, weights = [-sums[i] / counts[i] for i in used], [counts[i] for i in used]
        loss = measure(losses, weights=weights)
        return {"loss": loss, "perplexity": {key: math.exp(loss[key]) for key in ("value", "low", "high")}}

    def of_pairs(self, rows: Sequence[Row]) -> dict[str, dict[str, object]]:
        """Share of pairs whose chosen completion has the higher log-probability, and the mean difference."""
        pairs = [row if "prompt" in row else extract_prompt(row) for row in rows]
        texts = {
            side: [self.tokens({"prompt": pair["prompt"], "completion": pair[side]}) for pair in pairs]
            for side in SIDES
        }
        chosen, rejected = ([total for total, _ in self.log_likelihoods(texts[side])] for side in SIDES)
        margins = [good - bad for good, bad in zip(chosen, rejected, strict=True)]
        wins = [float(margin > 0) for margin in margins]
        return {"preference_accuracy": measure(wins), "preference_margin": measure(margins)}

    def tokens(self, row: Row) -> tuple[list[int], int]:
        """The tokens of a row, and the number of those at its start that are only read."""
        if "completion" in row:
            prompt, both = self.rendered_pair(row["prompt"], row["completion"])
            start = next((i for i, (a, b) in enumerate(zip(prompt, both, strict=False)) if a != b), len(prompt))
            return both[: self.max_length], start
        if "messages" in row:
            return self.rendered(row["messages"])[: self.max_length], 0
        return self.tokenizer(self.ended(row["text"]))["input_ids"][: self.max_length], 0

    def rendered_pair(self, prompt: object, completion: object) -> tuple[list[int], list[int]]:
        """The tokens of a prompt, and of the prompt with its completion."""
        if isinstance(prompt, str):
            ids = self.tokenizer([prompt, self.ended(prompt + completion)])["input_ids"]
            return ids[0], ids[1]
        return self.rendered(prompt, add_generation_prompt=True), self.rendered(prompt + completion)

    def rendered(self, messages: list, **kwargs: object) -> list[int]:
        """A conversation through the chat template, as tokens."""
        return self.tokenizer.apply_chat_template(messages, return_dict=True, **kwargs)["input_ids"]

    def ended(self, text: str) -> str:
        """A text with the token that SFT trains at its end."""
        end = self.tokenizer.eos_token or ""
        return text if text.endswith(end) else text + end

    @torch.no_grad()
    def log_likelihoods(self, texts: Sequence[tuple[list[int], int]]) -> list[tuple[float, int]]:
        """Log-probability of the trained tokens of each text, in nats, and their number."""
        found: list[tuple[float, int]] = [(0.0, 0)] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i][0]))  # similar lengths share a batch
        for first in range(0, len(order), self.batch_size):
            batch = order[first : first + self.batch_size]
            for i, result in zip(batch, self.of_batch([texts[i] for i in batch]), strict=True):
                found[i] = result
        return found

    def of_batch(self, texts: Sequence[tuple[list[int], int]]) -> Iterator[tuple[float, int]]:
        """The same of one batch."""
        longest = max(len(ids) for ids, _ in texts)
        ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in texts])
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in texts])
        labels = ids.masked_fill(mask == 0, -100)
        for row, (_, start) in enumerate(texts):
            labels[row, :start] = -100
        ids, mask, labels = (part.to(self.model.device) for part in (ids, mask, labels))
        logits = self.model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        losses = cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none")
        counts = (labels[:, 1:] != -100).sum(1).tolist()
        yield from zip((-losses.double().sum(1)).tolist(), counts, strict=True)

    # Samples

    @torch.no_grad()
    def sampled(self, rows: Sequence[Row], temperature: float, length: int, seed: int) -> list[str]:
        """A completion of the prompt of each row; the most likely one at temperature 0."""
        found = []
        settings = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        with torch.random.fork_rng():
            for first in range(0, len(rows), self.batch_size):
                torch.manual_seed(seed + first)
                prompts = [self.prompt_text(row["prompt"]) for row in rows[first : first + self.batch_size]]
                is_plain = isinstance(rows[first]["prompt"], str)
                inputs = self.tokenizer(
                    prompts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=is_plain
                ).to(self.model.device)
                inputs.pop("token_type_ids", None)
                made = self.model.generate(
                    **inputs, max_new_tokens=length, pad_token_id=self.tokenizer.pad_token_id, top_k=0, **settings
                )
                new = made[:, inputs["input_ids"].shape[1] :]
                found += self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return found

    def prompt_text(self, prompt: object) -> str:
        """What is sampled from."""
        if isinstance(prompt, str):
            return prompt
        return self.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)


def of_samples(
    rows: Sequence[Row], rewards: Sequence[Callable], draws: Sequence[list[str]]
) -> dict[str, dict[str, object]]:
    """The mean of each reward over the completions of each prompt, one of each draw, and those of the first draw."""
    found = {}
    for reward in rewards:
        scores = [scored(reward, rows, completions) for completions in draws]
        means = [math.fsum(row) / len(draws) for row in zip(*scores, strict=True)]
        found[f"reward/{reward.__name__}"] = measure(means)
    return {**found, "completions": draws[0]}


def of_preferences(rows: Sequence[Row], rewards: Sequence[Callable]) -> dict[str, dict[str, object]]:
    """The share of pairs whose chosen completion gets the higher reward; equal ones count half."""
    if not set(SIDES) <= set(rows[0]):
        return {}
    found = {}
    for reward in rewards:
        chosen, rejected = (scored(reward, rows, [text_of_completion(row[side]) for row in rows]) for side in SIDES)
        pairs = zip(chosen, rejected, strict=True)
        wins = [float(good > bad) if good != bad else 0.5 for good, bad in pairs]
        found[f"reward_accuracy/{reward.__name__}"] = measure(wins)
    return found


def text_of_completion(completion: object) -> str:
    """A completion as text: of a conversation, that of its last message."""
    return completion if isinstance(completion, str) else completion[-1]["content"]


def scored(reward: Callable, rows: Sequence[Row], completions: list[str]) -> list[float]:
    """The rewards of one completion of each row, called as TRL calls them; a row without a reward counts as 0."""
    prompts = [row["prompt"] for row in rows]
    if is_conversational({"prompt": prompts[0]}):
        completions = [[{"role": "assistant", "content": text}] for text in completions]
    columns = {name: [row[name] for row in rows] for name in rows[0] if name not in ("prompt", "completion")}
    scores = reward(prompts=prompts, completions=completions, **columns)
    if inspect.isawaitable(scores):
        scores = asyncio.run(_awaited(scores))
    return [0.0 if score is None or math.isnan(score) else float(score) for score in scores]


async def _awaited(scores: object) -> list[float]:
    return await scores


# Values and differences


def measure(values: Sequence[float], weights: Sequence[float] | None = None) -> dict[str, object]:
    """The mean of `values` with its interval, and the values of the rows, by which models are compared."""
    return {**interval(values, weights), "per_row": list(values), **({"weights": list(weights)} if weights else {})}


def add_win_rates(before: dict[str, Mapping], after: dict[str, Mapping]) -> None:
    """Add the share of prompts on which `after` has the higher mean reward; a tie counts half, and `before` is 0.5."""
    for name in [name for name in after if name.startswith("reward/")]:
        pairs = zip(before[name]["per_row"], after[name]["per_row"], strict=True)
        wins = [float(new > old) if new != old else 0.5 for old, new in pairs]
        rate = name.replace("reward/", "win_rate/", 1)
        before[rate], after[rate] = measure([0.5] * len(wins)), measure(wins)


def differences_of(before: Mapping[str, Mapping], after: Mapping[str, Mapping]) -> dict[str, dict[str, object]]:
    """`after` minus `before`, row by row, with interval and p-value, for the measures of the same rows."""
    found = {}
    for name, new in after.items():
        old = before.get(name)
        if not isinstance(new, Mapping) or "per_row" not in new or old is None:
            continue
        if len(old["per_row"]) != len(new["per_row"]) or old.get("weights") != new.get("weights"):
            continue  # other tokens, so the rows cannot be paired
        differences = [b - a for a, b in zip(old["per_row"], new["per_row"], strict=True)]
        better = "lower" if name in LOWER_IS_BETTER else "higher"
        p_value = sign_flip_test(differences)
        found[name] = {**interval(differences, new.get("weights")), "p_value": p_value, "better": better}
    return found


# %% Support: Puts the reports of several evaluations side by side, with what differs from the first more than by chance
def compare(alpha: float = 0.05, **reports: str) -> dict[str, object]:
    """The models of `reports`, folders of evaluations of the same rows, by name; all are compared with the first."""
    folders = {name: Path(folder) / "report.json" for name, folder in reports.items()}
    return comparison_table(
        {name: json.loads(file.read_text(encoding="utf-8")) for name, file in folders.items()}, alpha
    )


def comparison_table(found: Mapping[str, Mapping], alpha: float) -> dict[str, object]:
    """The same of the reports themselves.

    Differences are paired by row. They are significant where the p-value, corrected for the number of differences in
    the table (Holm, 1979), is below `alpha`. Models that were measured on other rows than the first have none.
    `markdown` holds the tables as text.
    """
    models, rows = {}, {}
    for name, source, measures in _models(found):
        models[name], rows[name] = measures, [found[source].get(key) for key in ("rows", "rows_sha256")]
    first, *others = models
    apart = [name for name in others if rows[name] != rows[first]]
    differences = {name: {} if name in apart else differences_of(models[first], models[name]) for name in others}
    pairs = [(name, measure) for name in others for measure in differences[name]]
    for (name, measure), p_value in zip(pairs, holm([differences[n][m]["p_value"] for n, m in pairs]), strict=True):
        differences[name][measure] |= {"corrected_p_value": p_value, "significant": p_value < alpha}
    table = {name: {m: _without_rows(v) for m, v in measures.items()} for name, measures in models.items()}
    lines = (*_lines(table, differences), *_difference_lines(first, differences), *_notes(first, apart, alpha))
    markdown = "\n".join(lines) + "\n"
    about = {"compared_with": first, "other_rows": apart, "alpha": alpha}
    return {"models": table, **about, "differences": differences, "markdown": markdown}


def _models(found: Mapping[str, Mapping]) -> Iterator[tuple[str, str, Mapping[str, Mapping]]]:
    """The baselines that differ, then the model of each report, each with the name of its report."""
    baselines = []
    for name, report in found.items():
        if "baseline" in report and report["baseline"] not in baselines:
            baselines.append(report["baseline"])
            yield ("baseline" if len(baselines) == 1 else f"baseline of {name}"), name, _measures(report["baseline"])
    for name, report in found.items():
        yield name, name, _measures(report["model"])


def _measures(values: Mapping) -> dict[str, Mapping]:
    return {name: value for name, value in values.items() if isinstance(value, Mapping)}


def _without_rows(measure: Mapping) -> dict[str, float]:
    return {key: measure[key] for key in ("value", "low", "high")}


def _lines(table: Mapping, differences: Mapping) -> Iterator[str]:
    """The table: a column for each model, a line for each measure."""
    names = list(table)
    measures = list(dict.fromkeys(measure for of_model in table.values() for measure in of_model))
    yield from _head(names)
    for measure in measures:
        cells = (_cell(table[name].get(measure), differences.get(name, {}).get(measure)) for name in names)
        yield f"| {measure} | {' | '.join(cells)} |"


def _difference_lines(first: str, differences: Mapping) -> Iterator[str]:
    """The differences from the first model, with intervals and corrected p-values."""
    names = [name for name in differences if differences[name]]
    measures = list(dict.fromkeys(measure for name in names for measure in differences[name]))
    if measures:
        yield from ("", f"Differences from {first}:", "", *_head(names))
    for measure in measures:
        cells = (_difference(differences[name].get(measure)) for name in names)
        yield f"| {measure} | {' | '.join(cells)} |"


def _head(names: list[str]) -> tuple[str, str]:
    return f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"


def _notes(first: str, apart: list[str], alpha: float) -> Iterator[str]:
    yield ""
    if apart:
        yield f"Measured on other rows than {first}, and not compared with it: {', '.join(apart)}."
    yield (
        f"Means with 95 % bootstrap intervals. * differs from {first} with p < {alpha:g}, by sign flips of the "
        "paired differences, corrected for the number of differences (Holm)."
    )


def _cell(measure: Mapping | None, difference: Mapping | None) -> str:
    if measure is None:
        return "-"
    mark = " *" if difference and difference["significant"] else ""
    change = f" ({difference['value']:+.3g})" if difference else ""
    return f"{_interval(measure)}{change}{mark}"


def _difference(difference: Mapping | None) -> str:
    if difference is None:
        return "-"
    mark = " *" if difference["significant"] else ""
    return f"{_interval(difference, '+')}, p = {difference['corrected_p_value']:.2g}{mark}"


def _interval(measure: Mapping, sign: str = "") -> str:
    return f"{measure['value']:{sign}.4g} [{measure['low']:{sign}.4g}, {measure['high']:{sign}.4g}]"


# %% Support: Runs the stages of a pipeline, each in a folder of its own, and resumes an earlier run
def train_once(train: Callable[..., Trainer], configure: Callable[[], TrainingArguments], checkpoints: Path) -> Trainer:
    """Train as configured."""
    return train(configure())


class Pipeline:
    """Stages write to `output_dir / stage`. `settings` overrides fields of stages, `only` names a single one to run."""

    def __init__(
        self,
        output_dir: Path,
        only: str | None = None,
        settings: Mapping[str, dict] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.output_dir, self.only, self.settings, self.say = output_dir, only, settings or {}, say

    def train(
        self,
        stage: str,
        trainer_class: type[Trainer],
        configure: Callable[..., TrainingArguments],
        fit: Callable[..., Trainer] = train_once,
        save: Callable[[Trainer, Path], None] = save_policy,
        **inputs: object,
    ) -> str:
        """Train a stage, unless it is finished; return the folder of its model.

        `inputs` go to the trainer; a `partial` among them is called when the stage starts. Sampling differs across
        processes; the order of rows is the same for all.
        """
        folder = self.output_dir / stage
        if is_finished(folder) or self.only not in (None, stage):
            return str(folder)
        self.require_finished(stage, inputs)
        release_memory()
        checkpoints = folder / "checkpoints"

        def train(args: TrainingArguments, *callbacks: object) -> Trainer:
            made = {name: value() if isinstance(value, partial) else value for name, value in inputs.items()}
            trainer = trainer_class(args=args, callbacks=[AtomicCheckpoints(checkpoints), *callbacks], **made)
            set_seed(args.seed, device_specific=hasattr(args, "num_generations"))
            trainer.train(resume_from_checkpoint=newest_checkpoint(checkpoints))
            return trainer

        changed = partial(configure, checkpoints / "unfinished", **self.settings.get(stage, {}))
        save(fit(train, changed, checkpoints), folder)
        finish_stage(folder)
        return self.made(stage, folder)

    def copy(self, name: str, model: str, folder: str, **options: object) -> str:
        """Write a model and its tokenizer to a folder of its own; a relative one lies in `output_dir`."""
        place = self.output_dir / Path(folder).expanduser()
        if self.only in (None, name):
            self.made(name, copy_model(model, place, **options))
        return str(place)

    def made(self, name: str, folder: Path) -> str:
        """Report the result, from the main process."""
        if PartialState().is_main_process:
            self.say(f"{name}: {folder}")
        return str(folder)

    def require_finished(self, stage: str, inputs: Mapping[str, object]) -> None:
        """Exit if a single stage is to run and its inputs do not exist."""
        before = {Path(value) for value in inputs.values() if isinstance(value, str)}
        for folder in before:
            if self.only and folder.parent == self.output_dir and not is_finished(folder):
                raise SystemExit(f"stage {stage} needs {folder.name}, which is not finished: run --stage {folder.name}")

    @classmethod
    def from_command_line(cls, about: str, output_dir: str, **stages: Callable | None) -> "Pipeline":
        """Parse the command line, with overrides such as `--sft.learning_rate 1e-5` of what `stages` return."""
        parser = argparse.ArgumentParser(
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog="Override any field of a stage: --STAGE.FIELD VALUE, such as --sft.learning_rate 1e-5.",
        )
        parser.add_argument("--output-dir", type=Path, default=Path(output_dir), help="output folder (%(default)s)")
        parser.add_argument("--resume", action="store_true", help="resume an earlier run")
        parser.add_argument("--stage", choices=stages, help="run only this stage, from the previous models")
        options, rest = parser.parse_known_args()
        settings = read_settings(parser, rest, stages)
        if not options.resume:
            start_over(options.output_dir, options.stage)
        return cls(options.output_dir, options.stage, settings)


def read_settings(parser: argparse.ArgumentParser, words: list[str], stages: Mapping[str, Callable]) -> dict[str, dict]:
    """Parse `--STAGE.FIELD VALUE` or `--STAGE.FIELD=VALUE`, literals or text; exit for unknown fields."""
    settings: dict[str, dict] = {stage: {} for stage in stages}
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for name, text in zip(words[::2], words[1::2] + [""] * (len(words) % 2), strict=True):
        stage, _, field = name.removeprefix("--").partition(".")
        configuration = typing.get_type_hints(stages[stage])["return"] if stages.get(stage) else None
        if configuration is None or field not in {known.name for known in dataclasses.fields(configuration)}:
            parser.error(f"{name}: no such setting")
        try:
            value = ast.literal_eval({"true": "True", "false": "False", "null": "None"}.get(text, text))
        except (ValueError, SyntaxError):
            value = text
        settings[stage][field] = value
    for stage, changed in settings.items():
        if changed:  # an invalid value is reported before anything trains
            stages[stage](Path(), **changed)
    return settings


# %% Support: The configuration of PPO: the fields of GRPOConfig that have an effect in PPO, and its own
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


# %% Support: The critic of PPO: a linear value head inside the policy, and its calibration on every rollout
class ValueHead(nn.Module):
    """V(s_t): one linear unit on a last hidden state, 0 everywhere before training.

    It sits inside the policy, so that both share a forward pass, an optimizer and a distributed wrapper:
    called with `fused_lm_head=True`, the policy returns `values` (B, T) of all T tokens next to `log_probs` and
    `entropy` (B, T - 1) and the `aux_loss` of a mixture of experts. It is in no state dict, so that the saved policy
    is a plain language model.

    The hidden state is the policy's own, what the LM head reads, which may be narrower than the layers; or that of a
    `trunk`, a backbone whose weights are the critic's alone.
    """

    def __init__(self, policy: PreTrainedModel, trunk: PreTrainedModel | None = None) -> None:
        super().__init__()
        size = policy.get_output_embeddings().in_features if trunk is None else _width(trunk)
        self.weight = nn.Parameter(torch.zeros(1, size))
        self.bias = nn.Parameter(torch.zeros(1))
        self.trunk = trunk
        self.hidden = None
        self.is_on = True
        for module in self.modules():
            module._save_to_state_dict = module._load_from_state_dict = _nothing
        policy.base_model.register_forward_hook(self._keep_hidden)
        policy.register_forward_hook(self._add_values, with_kwargs=True)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Values (B, T) of hidden states (B, T, H), in float32 for any dtype of the policy."""
        with torch.autocast(hidden.device.type, enabled=False):
            return nn.functional.linear(hidden.float(), self.weight, self.bias).squeeze(-1)

    @contextmanager
    def off(self) -> Iterator[None]:
        """The policy without values: for the reference that is the policy without its adapter."""
        self.is_on = False
        try:
            yield
        finally:
            self.is_on = True

    def learned(self) -> list[nn.Parameter]:
        """The parameters that change in training: all but the frozen ones of a trunk with an adapter."""
        own = [] if self.trunk is None else self.trunk.parameters()
        return [self.weight, self.bias, *(parameter for parameter in own if parameter.requires_grad)]

    def _keep_hidden(self, backbone: nn.Module, args: tuple, output: Any) -> None:
        self.hidden = output.last_hidden_state

    def _add_values(self, policy: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
        hidden, self.hidden = self.hidden, None
        if not (kwargs.get("fused_lm_head") and self.is_on):
            return output  # generation, or a reference
        if self.trunk is not None:
            inputs = {key: kwargs[key] for key in ("input_ids", "attention_mask", "position_ids") if key in kwargs}
            hidden = self.trunk(**inputs, use_cache=False).last_hidden_state
        return {**output, "values": self(hidden)}


@torch.no_grad()
def _width(trunk: PreTrainedModel) -> int:
    """The size of a backbone's last hidden states, which no configuration names in the same way."""
    token = torch.zeros(1, 1, dtype=torch.long, device=trunk.device)
    return trunk(token, use_cache=False).last_hidden_state.size(-1)


def _nothing(*args: Any) -> None:
    """What a critic adds to a state dict, and takes from one."""


def calibration(
    residuals: torch.Tensor, mask: torch.Tensor, total: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean residual (return less value) over the tokens of the rollout, a scalar, and over all but one completion.

    The second is (B,), for each completion the mean over the tokens of the others: a baseline that knew a completion's
    own return would take away a part of what there is to learn. 0 where there is no other. `residuals` and `mask` are
    (B, T); `total` sums over the processes.
    """
    sums, tokens = (residuals * mask).sum(1), mask.sum(1)
    every, number = total(sums.sum()), total(tokens.sum())
    return every / number.clamp(min=1), (every - sums) / (number - tokens).clamp(min=1)


# %% Support: The arithmetic of PPO on token sequences: pure functions, no model, no trainer
def of_one_process(x: torch.Tensor) -> torch.Tensor:
    """The sum of `x` over the processes where there is one."""
    return x


def masked_mean(
    x: torch.Tensor,
    mask: torch.Tensor,
    total: Callable[[torch.Tensor], torch.Tensor] = of_one_process,
    count: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean of `x` (B, T) over the tokens where `mask` is 1, a scalar; 0 where nothing is unmasked.

    With `count`, the sum over these tokens divided by that number instead.
    """
    return total((x * mask).sum()) / (total(mask.sum()) if count is None else count).clamp(min=1.0)


def masked_variance(
    x: torch.Tensor, mask: torch.Tensor, total: Callable[[torch.Tensor], torch.Tensor] = of_one_process
) -> torch.Tensor:
    """Variance of `x` (B, T) over the tokens where `mask` is 1, divided by n, a scalar."""
    return masked_mean((x - masked_mean(x, mask, total)) ** 2, mask, total)


def masked_whiten(
    x: torch.Tensor,
    mask: torch.Tensor,
    shift_mean: bool = True,
    total: Callable[[torch.Tensor], torch.Tensor] = of_one_process,
) -> torch.Tensor:
    """`x` (B, T) scaled to unit variance over its unmasked tokens; `shift_mean=False` keeps the mean it had.

    The variance is the unbiased one (divided by n - 1). Masked tokens come back as 0.
    """
    mean, tokens = masked_mean(x, mask, total), total(mask.sum())
    unbiased = tokens / (tokens - 1).clamp(min=1.0)
    variance = masked_variance(x, mask, total) * unbiased
    whitened = (x - mean) * torch.rsqrt(variance + 1e-8)
    return (whitened if shift_mean else whitened + mean) * mask


def k3(log_ratio: torch.Tensor) -> torch.Tensor:
    """Schulman's estimate of KL(p || q) from log(q / p) of samples of p, never negative.

    See joschu.net/blog/kl-approx.html.
    """
    return log_ratio.exp() - 1 - log_ratio


def per_token_rewards(
    scores: torch.Tensor,
    logps: torch.Tensor,
    ref_logps: torch.Tensor,
    mask: torch.Tensor,
    kl_coef: float,
    kl_estimator: str = "k1",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Reward of every token (B, T) and the KL estimate it contains (B, T), as in InstructGPT, equation 2.

    Every token pays `kl_coef` times its estimate of KL(policy || reference); the last token of a completion
    also earns the completion's score. `scores` is (B,). The estimators are Schulman's: "k1" is log(p / q), unbiased;
    "k3" is q / p - 1 - log(q / p), never negative and of lower variance.
    """
    log_ratio = (ref_logps - logps) * mask  # log(q / p): q the reference, p the policy
    kl = -log_ratio if kl_estimator == "k1" else k3(log_ratio)
    positions = torch.arange(mask.size(1), device=mask.device)
    is_last = (positions == mask.sum(1, keepdim=True) - 1).to(kl.dtype)
    return scores.unsqueeze(1) * is_last - kl_coef * kl, kl


def gae(
    rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, gamma: float, lam: float | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Generalised advantage estimates and returns, both (B, T) and 0 where masked (GAE, equation 16).

        delta_t = r_t + gamma * V_{t+1} - V_t      A_t = delta_t + gamma * lam * A_{t+1}      R_t = A_t + V_t

    An episode ends with the last token of its completion: the value after it is 0. `lam` is one number, or (B,) a
    number for each completion. The returns come from these advantages, never from whitened ones.
    """
    values, rewards = values * mask, rewards * mask
    advantages = torch.zeros_like(rewards)
    advantage = next_value = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.size(1))):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantage = (delta + gamma * lam * advantage) * mask[:, t]
        next_value = values[:, t]
        advantages[:, t] = advantage
    return advantages, advantages + values


def length_adaptive_lam(mask: torch.Tensor, lam: float, alpha: float) -> torch.Tensor:
    """Lambda of each completion (B,): 1 - 1 / (alpha * its tokens), at least `lam` (VAPO, equation 7).

    GAE then looks `alpha` times the length ahead, so that the score reaches the first tokens of a long completion.
    """
    return (1 - 1 / (alpha * mask.sum(1)).clamp(min=1e-8)).clamp(min=lam)


def means_by_third(
    x: torch.Tensor, mask: torch.Tensor, total: Callable[[torch.Tensor], torch.Tensor] = of_one_process
) -> list[torch.Tensor]:
    """Means of `x` (B, T) over the first, the second and the last third of each completion, three scalars."""
    positions = torch.arange(mask.size(1), device=mask.device)
    thirds = (3 * positions / mask.sum(1, keepdim=True).clamp(min=1.0)).floor()  # (B, T)
    return [masked_mean(x, mask * (thirds == third), total) for third in range(3)]


def policy_loss(
    logps: torch.Tensor,
    old_logps: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    epsilon: float,
    epsilon_high: float | None = None,
    count: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """PPO's clipped surrogate (PPO, equation 7, negated: lower is better) and the fraction of tokens clipped.

    `old_logps` are the rollout's log-probabilities. The ratio is held to [1 - epsilon, 1 + epsilon_high];
    without an `epsilon_high` both sides use `epsilon`. Both results are scalars.
    """
    ratio = torch.exp((logps - old_logps) * mask)
    clipped = ratio.clamp(1 - epsilon, 1 + (epsilon if epsilon_high is None else epsilon_high))
    unclipped_loss, clipped_loss = -advantages * ratio, -advantages * clipped
    clip_fraction = masked_mean((clipped_loss > unclipped_loss).float(), mask, count=count)
    return masked_mean(torch.max(unclipped_loss, clipped_loss), mask, count=count), clip_fraction


def value_loss(
    values: torch.Tensor,
    old_values: torch.Tensor,
    returns: torch.Tensor,
    mask: torch.Tensor,
    cliprange: float,
    count: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Half the squared error of values clipped around the rollout's, and the fraction of tokens clipped.

    A value gains nothing by moving further than `cliprange` from `old_values`. Both results are scalars.
    """
    clipped = torch.clamp(values, old_values - cliprange, old_values + cliprange)
    error, clipped_error = (values - returns) ** 2, (clipped - returns) ** 2
    clip_fraction = masked_mean((clipped_error > error).float(), mask, count=count)
    return 0.5 * masked_mean(torch.max(error, clipped_error), mask, count=count), clip_fraction


def explained_variance(
    values: torch.Tensor,
    returns: torch.Tensor,
    mask: torch.Tensor,
    total: Callable[[torch.Tensor], torch.Tensor] = of_one_process,
) -> torch.Tensor:
    """Explained variance of `returns` by `values`, a scalar: 1 is a perfect prediction, 0 no better than the mean."""
    unexplained = masked_variance(returns - values, mask, total)
    return 1 - unexplained / masked_variance(returns, mask, total).clamp(min=1e-8)


# %% Support: What PPO makes of scores before it learns from them: one unit for any reward, kept over the run
@dataclass
class RunningScores:
    """Mean and variance of the scores so far: a rollout counts `decay` times as much as the next one.

    Normalized scores do not depend on the offset and the scale of the reward (arXiv 2403.17031, section 3; the scale
    alone as in OpenAI Baselines' VecNormalize). The statistics forget fast, since the policy improves: where the mean
    lags behind, nearly every score is positive, and discounted, which makes short completions look better than they
    are.
    """

    decay: float = 0.5
    count: float = 0.0
    mean: float = 0.0
    variance: float = 0.0

    def update(self, scores: torch.Tensor) -> None:
        """Add the scores (B,) of a rollout, those of all processes (Chan et al. 1979)."""
        if not len(scores):
            return
        scores, old = scores.double(), self.decay * self.count
        count, difference = old + len(scores), scores.mean().item() - self.mean
        new_share = len(scores) / count
        spread = scores.var(correction=0).item()
        self.variance += new_share * (spread - self.variance + (1 - new_share) * difference**2)
        self.mean += new_share * difference
        self.count = count

    def normalize(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores (B,) in standard deviations from the mean; 0 as long as all were equal."""
        deviation = self.variance**0.5
        tiny = 1e-6 * abs(self.mean)  # what rounding alone makes of equal scores
        return (scores - self.mean) / deviation if deviation > tiny else torch.zeros_like(scores)

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return asdict(self)


def scores_of_truncated(
    scores: torch.Tensor,
    has_ended: torch.Tensor,
    next_values: torch.Tensor,
    treatment: str,
    penalty: float,
    gamma: float,
) -> torch.Tensor:
    """What completions earn, (B,), from their scores (B,) and the values (B,) after their last tokens.

    One that did not end keeps its score ("score"), loses `penalty` ("penalty"), or earns what the value head expects
    of its continuation ("bootstrap": a limit of length is no end of the episode, arXiv 1712.00378).
    """
    if treatment == "penalty":
        return torch.where(has_ended, scores, scores - penalty)
    if treatment == "bootstrap":
        return torch.where(has_ended, scores, gamma * next_values)
    return scores


def adapted_kl_coef(kl_coef: float, kl: float, target: float, completions: int, horizon: int) -> float:
    """The KL coefficient after a rollout whose completions had a mean KL of `kl` (Ziegler et al., arXiv 1909.08593)."""
    error = min(max(kl / target - 1, -0.2), 0.2)
    return kl_coef * (1 + error * completions / horizon)


# %% Support: What PPO learns from, as types with shapes: B completions of at most T tokens, after prompts of at most P
@dataclass
class Tokens:
    """Prompts, padded on the left, and their completions, padded on the right; a mask is 1 on real tokens."""

    prompt_ids: torch.Tensor  # (B, P)
    prompt_mask: torch.Tensor  # (B, P)
    completion_ids: torch.Tensor  # (B, T)
    completion_mask: torch.Tensor  # (B, T); all 0 for a completion that is left out

    @classmethod
    def of(cls, batch: Mapping[str, Any]) -> Self:
        """The fields of this type in a dictionary that may hold others."""
        return cls(**{known.name: batch[known.name] for known in fields(cls)})

    def split(self, rows: int) -> list["Tokens"]:
        """Batches of at most `rows` completions."""
        columns = [getattr(self, known.name).split(rows) for known in fields(Tokens)]
        return [Tokens(*parts) for parts in zip(*columns, strict=True)]

    def trimmed(self) -> "Tokens":
        """Without the columns that are padding in every row."""
        first = int(self.prompt_mask.any(0).int().argmax())
        length = max(1, int(self.completion_mask.sum(1).max()))
        prompts, completions = (self.prompt_ids, self.prompt_mask), (self.completion_ids, self.completion_mask)
        return Tokens(*(part[:, first:] for part in prompts), *(part[:, :length] for part in completions))


@dataclass
class Rollout(Tokens):
    """Completions, and what the losses compare with, each (B, T)."""

    old_logps: torch.Tensor
    old_values: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor  # what the value head learns
    value_scale: torch.Tensor  # a scalar: the square of the unit of the values


@dataclass
class TokenScores:
    """What a forward pass says of every token of the completions, each (B, T)."""

    logps: torch.Tensor
    entropies: torch.Tensor | None = None  # None of a reference, like the values
    values: torch.Tensor | None = None  # V of the state before the token
    last_values: torch.Tensor | None = None  # (B,), V of the state after the last token
    aux_loss: torch.Tensor | None = None  # a scalar: the load-balancing loss of a mixture of experts


# %% Support: PPO for language models on top of TRL: one completion per prompt, a value head, per-token KL, GAE
class PPOTrainer(GRPOTrainer):
    """Trains a language model with PPO against reward functions and reward models.

    The arguments are GRPOTrainer's (text only), with `args` a [`PPOConfig`], and `ref_model`: the model,
    folder or Hub id that the KL penalty compares with. By default a frozen copy of the initial
    policy; with LoRA the base model, i.e. the policy with its adapter disabled.

    A completion for which every reward function returned None is left out of the losses. A checkpoint also
    contains the value head, the current rollout and the running statistics: resuming from any step is bit-exact.

    Advantages are whitened over the rollouts of all processes, and a loss is the mean over all tokens of an optimizer
    step: neither gradient accumulation nor the number of processes changes what is learned.
    """

    _tag_names: ClassVar[list] = ["trl", "ppo"]
    _name = "PPO"
    _paper: ClassVar[dict] = {"title": "Proximal Policy Optimization Algorithms", "id": "1707.06347"}

    def __init__(
        self,
        model: str | os.PathLike | PreTrainedModel,
        reward_funcs: Any,
        args: PPOConfig | None = None,
        ref_model: str | os.PathLike | PreTrainedModel | None = None,
        **kwargs: Any,
    ) -> None:
        model = os.fspath(model) if isinstance(model, os.PathLike) else model
        super().__init__(model, reward_funcs, args or PPOConfig(), **kwargs)
        is_peft = hasattr(self.model, "get_base_model")
        policy = self.model.get_base_model() if is_peft else self.model
        ref_model = None if ref_model is model else ref_model  # freezing it would freeze the policy
        if ref_model is not None or not is_peft:
            self.ref_model = self._prepare_reference(ref_model, policy)
        if not hasattr(policy, "value_head"):
            policy.value_head = ValueHead(policy, self._trunk(policy)).to(self.accelerator.device)
        self.value_head = policy.value_head
        # Calibrated, the bias has no gradient but rounding errors, which Adam would make steps of.
        self.value_head.bias.requires_grad_(not self.args.calibrate_values)
        self.running_scores, self.kl_coef = RunningScores(), self.args.kl_coef
        self.takes_position_ids = "position_ids" in inspect.signature(policy.forward).parameters

    def _load_kwargs(self) -> dict[str, Any]:
        given = {"trust_remote_code": self.args.trust_remote_code, **(self.args.model_init_kwargs or {})}
        return {**given, "device_map": None}

    def _trunk(self, policy: PreTrainedModel) -> PreTrainedModel | None:
        """The critic's own backbone, with an adapter where the policy has one; None to share the policy's."""
        if self.args.value_model == "shared":
            return None
        if self.args.value_model == "separate":
            return copy.deepcopy(policy.base_model)
        kwargs = {"dtype": policy.dtype, **self._load_kwargs()}
        trunk = AutoModel.from_pretrained(self.args.value_model, **kwargs)
        if policy is not self.model:
            self._add_adapter(trunk, f"{policy.base_model_prefix}.")
        return trunk

    def _add_adapter(self, trunk: PreTrainedModel, prefix: str) -> None:
        """The policy's adapter, untrained, for a backbone: its names of layers lack the `prefix` of the policy's."""
        name = self.model.active_adapter
        config = copy.deepcopy(self.model.peft_config[name])
        if isinstance(config.target_modules, set):
            config.target_modules = {layer.removeprefix(prefix) for layer in config.target_modules}
        type(self.model.base_model)(trunk, {name: config}, name)  # such as LoraModel: it acts in place

    def _prepare_reference(self, ref_model: Any, policy: PreTrainedModel) -> nn.Module:
        if ref_model is None:
            ref_model = copy.deepcopy(policy)
            ref_model.__dict__.pop("forward", None)  # TRL's patched forward would still use the policy's weights
            if hasattr(ref_model, "value_head"):  # of a policy that PPO trained before
                ref_model.value_head.is_on = False
        elif not isinstance(ref_model, nn.Module):
            ref_model = create_model_from_path(os.fspath(ref_model), **self._load_kwargs())
        ref_model.eval().requires_grad_(False)
        add_fused_lm_head(ref_model, self.temperature, self.args.cast_lm_head_to_fp32)
        return self.accelerator.prepare_model(ref_model, evaluation_mode=True)

    # Step 1: generate and score ---------------------------------------------------------------------------

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        rewards = super()._calculate_rewards(*args, **kwargs)  # (completions of all processes, functions)
        self._scores = (rewards * self.reward_weights.to(rewards.device)).nansum(dim=1)
        self._is_scored = ~rewards.isnan().all(dim=1)
        if self.args.normalize_scores:
            if self.model.training:
                self.running_scores.update(self._scores[self._is_scored])
            self._scores = self.running_scores.normalize(self._scores) * self._is_scored
        return rewards

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> tuple[None, None, None]:
        return None, None, None  # GRPO's own evaluation of a rollout, which step 2 replaces

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        rollout = super()._generate_and_score_completions(inputs)
        first = self.accelerator.process_index * len(inputs)
        mine = slice(first, first + len(inputs))
        rollout["completion_mask"] = rollout["completion_mask"] * self._is_scored[mine].unsqueeze(1)
        self._metrics[self._mode].pop("frac_reward_zero_std", None)  # TRL's are of groups, which PPO does not have
        return {**rollout, **self._estimate_advantages(Tokens.of(rollout), self._scores[mine])}

    # Step 2: evaluate -------------------------------------------------------------------------------------

    def _score_tokens(self, model: nn.Module, tokens: Tokens) -> TokenScores:
        """One forward pass of policy or reference over a batch, without its common padding."""
        length = tokens.completion_ids.size(1)
        tokens = tokens if self.args.pad_to_multiple_of else tokens.trimmed()
        kept = tokens.completion_ids.size(1)
        input_ids = torch.cat([tokens.prompt_ids, tokens.completion_ids], dim=1)
        attention_mask = torch.cat([tokens.prompt_mask, tokens.completion_mask], dim=1)
        labels = input_ids.masked_fill(attention_mask == 0, -100)
        labels[:, :-kept] = -100
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        if self.takes_position_ids:  # prompts are padded on the left: count from their first token
            inputs["position_ids"] = (attention_mask.cumsum(1) - 1).clamp(min=0)
        if self.aux_loss_enabled:
            inputs["output_router_logits"] = True
        with self.accelerator.autocast():
            output = model(**inputs, fused_lm_head=True)
        padding = (0, length - kept)
        scores = TokenScores(pad(output["log_probs"][:, -kept:], padding), aux_loss=output.get("aux_loss"))
        if "values" in output:  # not of the reference
            values = output["values"][:, -kept - 1 :]  # one more than there are tokens
            scores.values = pad(values[:, :-1], padding)
            scores.last_values = values.gather(1, tokens.completion_mask.sum(1, keepdim=True))[:, 0]
            scores.entropies = pad(output["entropy"][:, -kept:], padding)
        return scores

    def _reference_logps(self, tokens: Tokens) -> torch.Tensor:
        if self.ref_model is not None:
            return self._score_tokens(self.ref_model, tokens).logps
        with self.accelerator.unwrap_model(self.model).disable_adapter(), self.value_head.off():
            return self._score_tokens(self.model, tokens).logps

    @torch.no_grad()
    def _evaluate_rollout(self, tokens: Tokens) -> tuple[torch.Tensor, ...]:
        """Log-probabilities under policy and reference and values, each (B, T), and the values (B,) behind them.

        Without dropout. Each batch is seen by the policy once: what a loss compares with comes from one pass.
        """
        was_training, parts = self.model.training, []
        self.model.eval()
        for batch in tokens.split(self.args.per_device_train_batch_size):
            policy = self._score_tokens(self.model, batch)
            parts.append((policy.logps, self._reference_logps(batch), policy.values, policy.last_values))
        self.model.train(was_training)
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))

    # Steps 3 to 5: rewards, calibration and advantages ----------------------------------------------------

    def _estimate_advantages(self, tokens: Tokens, scores: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the losses compare with, from the scores (B,) of the completions."""
        args, mask, total = self.args, tokens.completion_mask.float(), self._total
        logps, ref_logps, values, last_values = self._evaluate_rollout(tokens)
        ended = self._has_ended(tokens)
        scores = scores_of_truncated(
            scores, ended, last_values, args.truncated_completions, args.truncation_penalty, args.gamma
        )
        rewards, kl = per_token_rewards(scores, logps, ref_logps, mask, self.kl_coef, args.kl_estimator)
        if args.whiten_rewards:
            rewards = masked_whiten(rewards, mask, shift_mean=False, total=total)
        _, returns = gae(rewards, values, mask, args.gamma, args.critic_lam)
        unseen = values  # that know nothing of the completion's own return
        if args.calibrate_values:
            bias, without = calibration(returns - values, mask, total)
            unseen, values = values + without.unsqueeze(1), values + bias
            if self.model.training:
                self.value_head.bias.data += bias
        lam = length_adaptive_lam(mask, args.lam, args.lam_alpha) if args.lam_alpha else args.lam
        advantages, _ = gae(rewards, unseen, mask, args.gamma, lam)
        self._record_rollout(kl, scores, unseen, returns, advantages, mask, ended)
        self._adapt_kl_coef(kl)
        value_scale = torch.ones_like(returns[0, 0])
        if args.whiten_advantages:
            # Policy and head share the trunk: in the units of the reward, the value loss can be too small
            # to train it. With lam < 1, little of the reward then reaches early tokens.
            variance = masked_variance(returns, mask, total)
            value_scale = (masked_mean(advantages**2, mask, total) + variance).clamp(min=1e-8)
            advantages = masked_whiten(advantages, mask, total=total)
        found = {"old_logps": logps, "old_values": values, "advantages": advantages, "returns": returns}
        return {**found, "value_scale": value_scale}

    def _has_ended(self, tokens: Tokens) -> torch.Tensor:
        """Whether completions (B,) have an end token; not those that are masked."""
        ends = torch.tensor(self.eos_token_ids, device=tokens.completion_ids.device)
        return (torch.isin(tokens.completion_ids, ends) & tokens.completion_mask.bool()).any(1)

    def _adapt_kl_coef(self, kl: torch.Tensor) -> None:
        if self.args.kl_target is None or not self.model.training:
            return
        of_completions = self.accelerator.gather(kl.sum(1))
        self.kl_coef = adapted_kl_coef(
            self.kl_coef, of_completions.mean().item(), self.args.kl_target, len(of_completions), self.args.kl_horizon
        )

    def _total(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor over all processes."""
        return self.accelerator.reduce(x, reduction="sum")

    # Step 6: optimise -------------------------------------------------------------------------------------

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **kwargs: Any
    ) -> torch.Tensor:
        """Policy loss + `vf_coef` * scaled value loss - `entropy_coef` * entropy of a minibatch, a scalar.

        A mixture of experts adds its load-balancing loss.
        """
        args, rollout, count = self.args, Rollout.of(inputs), self._tokens_a_call(inputs)
        mask, now = rollout.completion_mask.float(), self._score_tokens(model, rollout)
        policy, clip_fraction = policy_loss(
            now.logps, rollout.old_logps, rollout.advantages, mask, self.epsilon_low, self.epsilon_high, count
        )
        value, value_clip_fraction = value_loss(
            now.values, rollout.old_values, rollout.returns, mask, args.cliprange_value, count
        )
        entropy = masked_mean(now.entropies, mask, count=count)
        kl_old = masked_mean(k3(rollout.old_logps - now.logps), mask, count=count)
        self._record(policy_loss=policy, value_loss=value, entropy=entropy, kl_old=kl_old)
        self._record(clip_fraction=clip_fraction, value_clip_fraction=value_clip_fraction)
        value = value / rollout.value_scale
        loss = policy + args.vf_coef * value - args.entropy_coef * entropy
        if self.aux_loss_enabled:
            self._record(aux_loss=now.aux_loss)
            loss = loss + self.router_aux_loss_coef * now.aux_loss
        return loss / (self.current_gradient_accumulation_steps if self.model.training else 1)

    def _tokens_a_call(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mean number of tokens per call of `compute_loss` in this optimizer step, over all processes."""
        calls = [inputs]
        if self.model.training:
            number = self.args.gradient_accumulation_steps
            first = self._step % self.args.steps_per_generation // number * number
            calls = self._buffered_inputs[first : first + number]
        tokens = sum(call["completion_mask"].sum() for call in calls).float()
        return self._total(tokens) / (len(calls) * self.accelerator.num_processes)

    def _record_rollout(
        self,
        kl: torch.Tensor,
        scores: torch.Tensor,
        values: torch.Tensor,
        returns: torch.Tensor,
        advantages: torch.Tensor,
        mask: torch.Tensor,
        ended: torch.Tensor,
    ) -> None:
        """Logs what a rollout says about the health of a run; `values` are those that have not seen it."""
        total = self._total
        self._record(
            kl=kl.sum(1).mean(),  # per completion
            kl_coef=torch.tensor(self.kl_coef, device=kl.device),
            rlhf_reward=(scores - self.kl_coef * kl.sum(1)).mean(),
            ended=ended.float().mean(),
            value_mean=masked_mean(values, mask, total),
            value_bias=masked_mean(values - returns, mask, total),
            explained_variance=explained_variance(values, returns, mask, total),
        )
        thirds = means_by_third(advantages, mask, total)
        self._record(**dict(zip(("advantage_first", "advantage_middle", "advantage_last"), thirds, strict=True)))

    @property
    def _mode(self) -> str:
        return "train" if self.model.training else "eval"

    def _record(self, **metrics: torch.Tensor) -> None:
        """Logs each metric as `ppo/<name>`, averaged over the processes."""
        local = torch.stack([metric.detach().float() for metric in metrics.values()])
        means = self.accelerator.gather(local.unsqueeze(0)).mean(dim=0).tolist()
        for name, mean in zip(metrics, means, strict=True):
            self._metrics[self._mode][f"ppo/{name}"].append(mean)

    # Checkpoints ------------------------------------------------------------------------------------------

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(dataset)
        if self.shuffle_dataset:  # TRL's order depends on the previous epochs, which a resumed run has not seen
            sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(self.args.seed + epoch)
        return sampler

    def _ppo_state_file(self, checkpoint: str) -> str:
        return os.path.join(checkpoint, f"ppo_state_{self.accelerator.process_index}.pt")

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        state = {
            "value_head": [parameter.detach() for parameter in self.value_head.learned()],
            "step": self._step,
            "rollout": self._buffered_inputs,
            "running_scores": self.running_scores.state(),
            "kl_coef": self.kl_coef,
        }
        os.makedirs(output_dir, exist_ok=True)
        torch.save(state, self._ppo_state_file(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        path = self._ppo_state_file(checkpoint)
        if not os.path.exists(path):
            raise FileNotFoundError(
                f"PPOTrainer > resume_from_checkpoint: {path} is missing. "
                "Resume from a checkpoint of PPOTrainer, with as many processes as wrote it."
            )
        state = torch.load(path, map_location=self.accelerator.device.type, weights_only=True)
        for parameter, saved in zip(self.value_head.learned(), state["value_head"], strict=True):
            parameter.data.copy_(saved)
        self._step, self._buffered_inputs = state["step"], state["rollout"]
        self.running_scores, self.kl_coef = RunningScores(**state["running_scores"]), state["kl_coef"]


# %% Support: Stages that make a report: each in a folder of its own, cached like a model
def make_report(pipeline: Pipeline, stage: str, make: Callable[..., object], **inputs: object) -> str:
    """Make a report, unless it is finished; return the folder that holds it, as `report.json`.

    Every process calls `make` with `inputs`; the result on the main process, as JSON, is the report.
    """
    folder = pipeline.output_dir / stage
    if is_finished(folder) or pipeline.only not in (None, stage):
        return str(folder)
    pipeline.require_finished(stage, inputs)
    release_memory()
    write_report(folder, make(**inputs))
    finish_stage(folder)
    return pipeline.made(stage, folder)


def write_report(folder: Path, report: object) -> None:
    """Write `report.json` into `folder`, from the main process, and its text, if it has one, as `report.md`."""
    if PartialState().is_main_process:
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(report, dict) and "markdown" in report:
            (folder / "report.md").write_text(report["markdown"], encoding="utf-8")
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    PartialState().wait_for_everyone()


# %% Support: Reward models as reward functions, and a penalty below a reward threshold
POSITION_TABLES = ("wpe", "position_embeddings", "embed_positions")  # names of learned position embeddings


class RewardModel:
    """A sequence classifier with one label as a reward function: the score of each prompt with its completion.

    A text is prepared as TRL's RewardTrainer prepares it for training. A conversation goes through the chat template,
    which brings all special tokens. A plain text gets those that the tokenizer itself adds, such as [CLS] or a token
    for its beginning, but only once; with `add_eos` it also ends in the tokenizer's end token, which
    RewardTrainer appends and other trainers do not. (GRPOTrainer itself adds nothing to plain text.)

    A text of more than `max_length` tokens, or than the classifier has positions for, is truncated on the left. The
    model is loaded at the first call, so that it takes no memory before the stage that needs it.
    """

    def __init__(
        self,
        model: str,
        name: str,
        batch_size: int = 8,
        dtype: str = "float32",
        max_length: int | None = None,
        add_eos: bool = False,
        **where: object,
    ) -> None:
        self.__name__ = name  # the name under which TRL logs the reward
        self.model, self.batch_size, self.dtype, self.where = model, batch_size, dtype, where
        self.max_length, self.add_eos = max_length, add_eos
        self.classifier = None

    def load(self) -> None:
        """Load tokenizer and classifier, to the GPU if there is one. Raise ValueError if either cannot score."""
        self.load_tokenizer()
        classifier, report = AutoModelForSequenceClassification.from_pretrained(
            self.model, num_labels=1, dtype=self.dtype, output_loading_info=True, **self.where
        )
        if missing := ", ".join(sorted(report["missing_keys"])):
            raise ValueError(f"{self.model} has no {missing}: it was not trained as a reward model")
        # The score is read at the last non-padding token, so the classifier has to know the padding token.
        classifier.config.get_text_config().pad_token_id = self.tokenizer.pad_token_id
        self.positions = learned_positions(classifier)
        self.limit = min((n for n in (self.max_length, self.positions) if n), default=None)
        device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
        self.classifier = classifier.eval().to(device)

    def load_tokenizer(self) -> None:
        """Load the tokenizer, and test whether it adds a BOS token itself."""
        self.tokenizer = AutoTokenizer.from_pretrained(self.model, truncation_side="left", **self.where)
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        if self.tokenizer.pad_token is None:
            raise ValueError(f"the tokenizer of {self.model} has no padding token: set its pad_token and save it")
        begins = self.tokenizer("")["input_ids"][:1] == [self.tokenizer.bos_token_id]
        self.beginning = self.tokenizer.bos_token if begins else ""

    def __call__(self, prompts: list, completions: list, **kwargs: object) -> list[float]:
        """One score per completion."""
        if self.classifier is None:
            self.load()
        is_plain = isinstance(prompts[0], str)
        texts = [self.text(prompt, completion) for prompt, completion in zip(prompts, completions, strict=True)]
        batches = (texts[start : start + self.batch_size] for start in range(0, len(texts), self.batch_size))
        return [score for batch in batches for score in self.scores(batch, is_plain)]

    def text(self, prompt: str | list, completion: str | list) -> str:
        """Prompt and completion as one text, without the special tokens that the tokenizer adds."""
        if is_conversational({"prompt": prompt}):
            return apply_chat_template({"messages": prompt + completion}, self.tokenizer)["text"]
        text, end = (prompt + completion).removeprefix(self.beginning), self.tokenizer.eos_token or ""
        return text + end if self.add_eos and not text.endswith(end) else text

    @torch.no_grad()
    def scores(self, texts: list[str], is_plain: bool) -> list[float]:
        """The classifier's logit for each text."""
        if self.limit is not None:
            self.warn_of_cuts(texts, is_plain)
        inputs = self.tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            padding_side="right",
            add_special_tokens=is_plain,
            truncation=self.limit is not None,
            max_length=self.limit,
        ).to(self.classifier.device)
        return self.classifier(**inputs).logits[:, 0].float().tolist()

    def warn_of_cuts(self, texts: list[str], is_plain: bool) -> None:
        """Warn of texts that are too long for the classifier; Python shows the same warning once."""
        longest = max(map(len, self.tokenizer(texts, add_special_tokens=is_plain, verbose=False)["input_ids"]))
        if longest > self.limit:
            text = f"{self.__name__}: texts of more than {self.limit} tokens are truncated on the left"
            warnings.warn(text, stacklevel=2)


def learned_positions(model: PreTrainedModel) -> int | None:
    """The number of tokens that a model has learned positions for; None if they are computed, for any number."""
    tables = [module for name, module in model.named_modules() if name.split(".")[-1] in POSITION_TABLES]
    sizes = [
        table.num_embeddings - getattr(table, "offset", 0 if table.padding_idx is None else table.padding_idx + 1)
        for table in tables
        if isinstance(table, nn.Embedding)
    ]
    return min(sizes, default=None)


if __name__ == "__main__":
    main(Pipeline.from_command_line(
        __doc__,
        "outputs/three_methods",
        sft=sft_config,
        judge=judge_config,
        dpo=dpo_config,
        ppo=ppo_config,
        grpo=grpo_config,
        after_ppo=None,
        after_dpo=None,
        after_grpo=None,
        comparison=None,
    ))
    PartialState().destroy_process_group()


# %% The flow that this script was written from, for `ryven-llm edit` (JSON, zlib, base64)
# eNrtWl9z2jgQ/yoaP0EKjg02CczkIW2vvc60017auYcDxqPYwqixJVeSSdJMvvutZBOgDY0Nppm5OXiIvJJ++1e7K5M7KyaMCJwgymbcGt1Z6jYj1si6
# uF0QhjLBv5JQoRlNiNWxhCEuiJCUM1jUt33bse5hgnzLqSARynB4hWMirdH4zmI41VBmV5AkacB4BFMdK6LiEfr9tGO9fffaGjkdC0cRZ4ByB+CzhF9L
# I9pcENJNiZrzyBBwEnNB1TxFKSAAZIQVBvwCT4tg8HodayXzwoUFNCJM0Rklj8hhv+c4+gCjBBZKhRVBBnZkxeef/z7/67z8vBwmr7wzy8hKFYCDEYuF
# D5pfYqnNlmGBUyNwhtUc6H/mcUxZ/AaH5MvL488pT95/6HXdvv+h+45JJfJQWfegOWVZrrQiYBmeq9VDxiW6AUPZTjG+NeP7Tqlwv77Cr0FySdTeKmMm
# r4H1Y1pvuK+r9x2Xq+2vkrOktsquv660V1fpi/O9tU24wBuqAqfTjiEHOMnmsNYdlM+R4BloVKqgsIiJCiBu88TEqvUt0KcN0K6Wg8VywIvBtK6B+s66
# gfzni4pMkBkRhIWkamSs7dgxOryN6BjUU/7zmy97Ky1nakPZWOCIAs8gnJPwKuMU2LPYGs1wIgkwwwsSwOEHljGID0nM0pFjMgXQSQYgLlBEIAFAh40I
# ymSdUEaw0MyAFpEFDUkAQJQFl1iF80DS78QcEJan5QTJeDgvEWEv00w0a2NDB6jXWKR5tmQMKTTFN0FCWKw95vZOq7jDxN+jGeqknju+aJkvCMjUUGb+
# mkcx+c96Z+BU8c7A2X5cTp8zV/A0U9XzhFldI0dsqj3YSJHDemoXEfkmZ6FWZW/NOQsUz2i4oXpYdDY0zbhQSJAJ09+IzNByeSsEEyREY8oOMqQOOjq6
# Atli2R5NGILPxNLfj4xAL8eohBBFEjTTCRbxGfJhH3IH6JqLSCI1xwrJjOArqSev9aOaE/QtJ1KzQVpgOUKu7djoLRaX0PKNkGMXTAqGMuSCSHSGxtOC
# MOMCrSTtGAzoOtF3mj2iwVJu/VHkRgHQahGiM0QlhVYJg/ytdVQ4om1E4MiuLR933el4ApbU+qqJNV1BF/qegV1tsEuEk6QlJtYYd79PX0ysjmFtQ/9J
# RKvdXm0D96gt2+56nXu9E6ZkfqnJrfF595+pmWybmYmFJhNXD7UN2g/4CCw01qQlZU1QiWkEDGWetjC7bWm5xyNvis7OjDBmrC2sJ7RVjWJtQ9LzmmSE
# bqNjBHmiVTys8IvcARxSylrg145ZVaIcI7+DIMO09MlBrX4Pddem9bw7WDfPQ4id6RDR3jJ2FOAccHbbJiyS19C3tyYWxEzpL8f2VggLLKjZr9lAVllj
# peVw18VbY1wEnY2zDFi0QNw+egHAJ+jIGLANf0tFj1ZCHpXcShxBVC5YCTVhO+SUk41U6jr1ksqnTx/3z6EZ/03FDQ6VPoU67esStDp0D9WoD9VJkRSK
# HwbDmhJ28kQthOrzIDEOwzzNE2wwV/XOjAKNUlxgTQJeFlGqSsqqNi53etsq6lUCwpOZee5V8flwa3PjuvU8/roBj0e/zeONtzOO/3Q/07EuidbXsd36
# vtm8J7o1Xwe8vWjAPbH4/0SunUhNWq2SBr/SKV1GgaPfOenmK9A9oZzzJLJGLE+S+tGxeUl2a747ecXTSzgQRSco946TlGAJLtnofuurtNnUut7zNfNz
# kkSBfutRrZtfLq/Rzg9/VXprvvL4Y4GTXIfb3m/BZhDvwY9V+Ocz94sDun76+pUKktvbXpEGz2qI6FkN8UP6P3lWU/xUCH6vLX5Idqe1kx0Ivr8pQoND
# pbkz18pz4MufXQvTUPQYCctiMtYpRoAeSIsNV5+I3JhfFQpEZG7SK2q5F24CzNy1vXWSEWhzhzbfI/huQ/juFvxeQ/i9LfheVXx/N/v0G8Lf2z7+bvYZ
# VMU/3U1+vyH83r72eQK/v2/8nB44foYHjp/hge0z3M0+lePTdXYz0ElTDPaO0KcY7O2Cpxg4e5vI3Y2B3xSDbU4+rcygv5sGXlMMtkWR22uKwzYbuW5T
# HLYF6rAyA+/QXvAO7gXv4F7wdvOCW7lldP1Du8E/uBv8g7vB39ENlSu/vubu1Lp7TXHYaiW/KQ69+4erUXmtGi//b8q8GtUvVySaCZ7CRcu2NFgGNyUl
# cnL/L97jsZM=
