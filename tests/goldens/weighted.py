# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "torch>=2.8,<3",
#     "transformers>=5.0,<6",
#     "trl>=1.16,<1.17",
#     "datasets>=4.0,<6",
#     "accelerate>=1.10,<2",
# ]
# ///
"""weighted: GRPO.

Written by ryven-llm-nodes 0.1.0 from the flow 'weighted' of flow.json
(sha256 c5f5e513bc0235a95b96d1ee79e8bb80c5143ad90683a6c02f82c3f81cd01e07)
with Python 3.11.7, torch 2.13.0, transformers 5.24.0, trl 1.16.0, datasets 5.2.0, accelerate 1.15.0.

Run it with `python SCRIPT.py`, or on several GPUs with `accelerate launch SCRIPT.py`. Every stage
writes its model to a folder of its own under --output-dir, and the next stage starts from there.
"""

# %% Imports
import argparse
import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path

# Read when the libraries below are imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # no usage pings
if "OMP_WAIT_POLICY" not in os.environ:  # threads that wait for work soon leave the processor to others
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=os.environ.get("GOMP_SPINCOUNT", "2500"))

import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from datasets import Dataset, load_dataset
from transformers import Trainer
from trl import GRPOConfig, GRPOTrainer

# Relative paths of data and models are looked up here.
ROOT = Path(__file__).resolve().parent


# %% Reward Function 'variety'
def variety(completions, **kwargs):
    """The share of characters that differ."""
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    return [len(set(text)) / max(len(text), 1) for text in texts]


# %% Reward Function 'ends_well'
import re

PATTERN = re.compile(r"[.!?]\s*$")  # "quotes", 'quotes', back\slash


def ends_well(completions, log_metric=None, **kwargs):
    """1 where a completion ends like a sentence:

    a second line, and a third:
        indented, 😀
    """
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    return [1.0 if PATTERN.search(text) else len(text) / 100 for text in texts]


# %% GRPO 'grpo'
def grpo_config(output_dir: Path) -> GRPOConfig:
    return GRPOConfig(
        output_dir=str(output_dir / "checkpoints"),
        learning_rate=0.001,
        epsilon=0.1,
        per_device_train_batch_size=4,
        num_generations=4,
        max_completion_length=8,
        logging_steps=1,
        gradient_checkpointing=False,
        max_steps=2,
        save_strategy="no",
        **DEVICE,
    )


def train_grpo(
    model: str,
    train_dataset: Dataset,
    reward_funcs: list[Callable],
    output_dir: Path,
) -> str:
    """Group relative policy optimization (arXiv 2402.03300), with a threshold its reward-penalized form."""
    if is_finished(output_dir):
        return str(output_dir)
    release_memory()
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=penalize_shortfall(reward_funcs, threshold=0.6, weights=[1.0, 0.5]),
        args=grpo_config(output_dir),
        train_dataset=train_dataset,
    )
    set_seed(trainer.args.seed, device_specific=True)
    trainer.train()
    return save_policy(trainer, output_dir)


# %% The pipeline
def main(output_dir: Path, resume: bool = False) -> None:
    """Run every stage, each from the folder that the one before has written.

    With `resume`, go on where an earlier run into `output_dir` stopped: finished stages are kept as they are, and the
    one that was under way continues from its newest checkpoint.
    """
    if not resume:
        start_over(output_dir)
    base = str(ROOT / "model")
    rows = load_dataset("json", data_files=str(ROOT / "chats.jsonl"), split="train")
    grpo = train_grpo(
        model=base,
        train_dataset=rows,
        reward_funcs=[variety, ends_well],
        output_dir=output_dir / "grpo",
    )
    print(f"grpo: {grpo}")


# %% Support: Checkpoints that are whole or not there, and going on from the newest
FINISHED = "finished"  # a stage's folder holds this file once its model is saved


def flush(folder: Path) -> None:
    """Make sure that every file of `folder` has reached the disk."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def is_finished(output_dir: Path) -> bool:
    """Whether a stage has saved its model in `output_dir`."""
    return (output_dir / FINISHED).is_file()


def start_over(output_dir: Path) -> None:
    """Forget the finished stages and the checkpoints of an earlier run into `output_dir`."""
    if PartialState().is_main_process:
        for path in output_dir.glob(f"*/{FINISHED}"):
            path.unlink()
        for path in output_dir.glob("*/checkpoints"):
            shutil.rmtree(path)
    PartialState().wait_for_everyone()


# %% Support: Rewards beyond a plain function: a reward model as a function, and a penalty below a threshold
def penalize_shortfall(rewards: list[Callable], threshold: float, weights: list[float] | None = None) -> Callable:
    """The weighted sum of ``rewards``, penalised below ``threshold``.

    A completion with reward ``r`` of at least ``threshold`` keeps ``r``; one below it gets ``r - threshold``. A reward
    that is None or NaN for a completion counts as absent; where all are, so is the sum. Each reward is logged raw.
    """
    weights = weights or [1.0] * len(rewards)

    def column(reward: Callable, completions: list, **kwargs: object) -> list[float]:
        scores = [float("nan") if s is None else float(s) for s in reward(completions=completions, **kwargs)]
        if len(scores) != len(completions):
            raise ValueError(f"{reward.__name__}() returned {len(scores)} rewards for {len(completions)} completions")
        return scores

    def shaped_reward(completions: list, log_metric: Callable | None = None, **kwargs: object) -> list[float | None]:
        columns = [column(reward, completions, log_metric=log_metric, **kwargs) for reward in rewards]
        scores = torch.tensor(columns, dtype=torch.float32).T  # (completions, rewards)
        raw = (scores * torch.tensor(weights)).nansum(dim=1)
        raw[scores.isnan().all(dim=1)] = float("nan")
        if log_metric is not None:
            for reward, values in zip(rewards, scores.T, strict=True):
                log_metric(f"raw_reward/{reward.__name__}", values.nanmean().item())
            log_metric("raw_reward", raw.nanmean().item())
        shaped = torch.where(raw >= threshold, raw, raw - threshold)
        return [None if score != score else score for score in shaped.tolist()]

    return shaped_reward


# %% Support: What every training stage shares: the machine's precision, memory between stages, and saving a policy
# bfloat16 where a GPU has it; on a CPU, float32.
GPU = torch.cuda.is_available()


DEVICE = {
    "use_cpu": not torch.accelerator.is_available(),
    "bf16": GPU and torch.cuda.is_bf16_supported(),
    "dataloader_pin_memory": GPU,
}


def release_memory() -> None:
    """Give back the memory of the stage before: a trainer is part of a reference cycle, so it outlives its function."""
    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()


def refuse_untrained(trainer: Trainer) -> None:
    """Raise ValueError where not one optimizer step was made: what would be saved is the model it began with."""
    if trainer.state.global_step:
        return
    args, rows = trainer.args, len(trainer.train_dataset)
    if hasattr(args, "generation_batch_size"):
        wanted = args.generation_batch_size // args.num_generations
    else:
        wanted = args.train_batch_size * args.world_size if args.dataloader_drop_last else 1
    why = (
        f"the {rows} rows that are left to train on do not make one batch of {wanted}"
        if rows < wanted
        else "no batch came"
    )
    raise ValueError(
        f"not one optimizer step was made, so nothing was learned: {why}. Give more rows, or lower "
        "per_device_train_batch_size or gradient_accumulation_steps."
    )


def save_policy(trainer: Trainer, folder: Path) -> str:
    """Write the trained policy and its tokenizer; return the folder."""
    refuse_untrained(trainer)
    trainer.save_model(str(folder))
    return finish_stage(trainer, folder)


def finish_stage(trainer: Trainer, folder: Path) -> str:
    """Mark a stage as finished, once all of its folder has reached the disk; return the folder."""
    if trainer.accelerator.is_main_process:
        flush(folder)
    trainer.accelerator.wait_for_everyone()
    (folder / FINISHED).touch()
    return str(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output-dir", type=Path, default=Path("outputs/weighted"), help="where models go (%(default)s)"
    )
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run stopped")
    main(**vars(parser.parse_args()))


# %% The flow that this script was written from, for `ryven-llm edit` (JSON, zlib, base64)
# eNrFVmFv2zYQ/SscN6B2IGhSHGetgWDI2q0osLVdFuyLZQgMeZLYSKRKUnbSwP99R0p1YswGnCbDZMCgTsfH9+6eKN7REhQYVhOpCk1nd9TdtkBn9OJ2
# CYq0Rn8C7kgha6ARNSG4BGOlVpg0iadxQtf4AD530oAgLePXrARLZ/M7qljjocKsvK6bXGmBjyIqpNkRXy8i+vbdGzpLIsqE0ApR7hC8qPXKD+kKZFk5
# EH7M6lIb6aqGNDgZ0QRzDKF7KL96gDqO6D3dZYoJUoByspCwg0L8u2biDxzVmGgdc0AC7IyW53/9ff7n+XD98qp+fXJGA03pEBzr1yduRF8x6yvWMsOa
# QL5lrsJ4E9DXKEuqtnOeKsrWnbu/abUlN1iFOOnHt2G8jgZJk8dLeoPcLLgnizK+ETtE8Yo5G3+yWh0mbZLsE3fyOHEXsGJG/NYp7gk/Wd+SGQnudksi
# H+wFBRkej7hu2ho8hI3I0dE1cijteJYpgldG/e+yAmIrZoDogmB5DOMOdRGHlSJCFgWYuM/sZzm4cZackTknsiDSSoVKFIcRj4h1ZkygtkD4PFnMM6Sk
# HBYlowtSaENwiiIPOC16SAOuM4rMa1AjbP7ILzEekx9Jw25GPhgCEUnHAcXfeaDABCEOauTp3kZO/9dGghI2X0Fd72qlbFptHNYnU5n6eH55+evFeyy9
# gdgXEXe6kcnoPP7u50WW2aMfMjom5Hvs6+dOO7AZjciLfvgiIle432FWzWzl0TLlfbJZfdsptS7zBpyR/Oy9VrDPOilZVYDGYQ96GiBJLa992IJvP4eZ
# X8/P8yH0hMAED8twxNBp0ogB2F9S+fqDiEjWiZcTgf+QJA8X/s+dmMaJxxxKHltghle9DXvUjSvRpWmSfLsvX+315enjfPlaN1dY1N6e9sm+bOTNliP7
# L1qe0lnq+Q63x57y9BCd6fFeoT89Tujbi48fniyvNK3e0odbTW4dtDZ8iVswuYCl5JA7w6TKr5jjVW7lFwg7f2mYkMgx5xXw61ZLpKtKOisYmiOiNfpF
# YSA3yDGITVKsGTNN135dBWuBr1nps4YIpli2BLz100qsEp4RkKSndm/VHK1X+m/ZSzxCdE3en4qCiQM1EwyQu8qArXQt/PKnB3Vo+q8O4UN8bxTwAX7u
# v6MGdRPfivCi3oR69Xgk7FZDNNnMxcOWCvvZycNQoLM9wztiB/7kmfDTPfjJofjTb+OfPhP+Pv4nz4R/vN44Y3hd5l/Puak3kD9CWVIY3aAzY+rBWjSK
# Mx2s/wFzMtoO
