"""Our PPO against TRL 1.12's PPOTrainer, the last one TRL had: samples a second, peak memory, reward reached.

Run by hand, with the Python of an environment that has trl==1.12.0:

    python tests/benchmarks/bench_ppo.py /path/to/trl112/bin/python

Both train the same random-initialised Llama on the same prompts, against the same reward (the share of the
completion's tokens whose id is below a threshold), with the same batch, passes, updates and learning rate, in
float32 on a CPU, each in a process of its own. They take turns, so that a busy machine hurts both. Cost is
measured on a model whose weights dominate the memory, the reward on a small one that has time to learn: one
seed says little there, so it is the mean over seeds that counts.

No completion ends early: the model cannot say the end token, nor the padding token. TRL 1.12 takes a padding
token that was sampled for the end, outside its loss, so that it cannot learn to avoid it; now and then it runs
into it for good.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

PROMPT, COMPLETION = 8, 24  # tokens
PASSES = 4  # over each rollout, by both


@dataclass
class Job:
    """One training run."""

    updates: int
    batch: int
    layers: int
    size: int  # hidden size, a multiple of 64
    vocab: int
    learning_rate: float
    seed: int = 0
    folder: str = ""
    threads: int = 2

    @property
    def good(self) -> int:
        """Tokens below this id earn a reward: a quarter of them, so a random policy earns 0.25."""
        return self.vocab // 4


COST = Job(updates=12, batch=8, layers=12, size=768, vocab=8192, learning_rate=1e-4)
LEARNING = Job(updates=60, batch=32, layers=2, size=64, vocab=64, learning_rate=2e-3)
SETTINGS = {
    "lr_scheduler_type": "constant",
    "gamma": 1.0,
    "lam": 0.95,
    "kl_coef": 0.05,
    "vf_coef": 1.0,  # TRL's value model has weights of its own: to Adam the scale of their loss is the same
    "cliprange_value": 0.2,
    "temperature": 1.0,
    "gradient_checkpointing": False,
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
}


def settings(job: Job) -> dict[str, Any]:
    """The arguments that both configurations share."""
    own = {"learning_rate": job.learning_rate, "seed": job.seed, "output_dir": tempfile.mkdtemp()}
    return {**SETTINGS, **own, "per_device_train_batch_size": job.batch}


def make_model(folder: str, job: Job) -> float:
    """A Llama with random weights and a tokenizer of one token a word; returns its millions of weights."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(job.vocab + 2)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"pad_token": f"w{job.vocab}", "eos_token": f"w{job.vocab + 1}"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, padding_side="left", **special)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=job.vocab,
        hidden_size=job.size,
        intermediate_size=8 * job.size // 3,
        num_hidden_layers=job.layers,
        num_attention_heads=job.size // 64,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6


def make_prompts(job: Job) -> list[list[int]]:
    """Token ids of a prompt for every sample, all of one length."""
    import random

    generator = random.Random(0)
    count = job.updates * job.batch
    return [[generator.randrange(job.vocab) for _ in range(PROMPT)] for _ in range(count)]


def train_ours(job: Job) -> tuple[Any, str]:
    """Our trainer, and the key of the mean reward in its log."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from datasets import Dataset
    from transformers import AutoTokenizer

    from ryven_llm_nodes.runtime.ppo import PPOConfig, PPOTrainer

    def reward(completion_ids: list[list[int]], **kwargs: Any) -> list[float]:
        return [sum(token < job.good for token in ids) / COMPLETION for ids in completion_ids]

    # TRL 1.12 has no entropy bonus.
    config = PPOConfig(
        **settings(job),
        max_steps=job.updates * PASSES,
        num_iterations=PASSES,
        max_completion_length=COMPLETION,
        epsilon=0.2,
        entropy_coef=0.0,
        logging_steps=PASSES,
    )
    prompts = [" ".join(f"w{token}" for token in ids) for ids in make_prompts(job)]
    trainer = PPOTrainer(
        job.folder,
        reward,
        config,
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=AutoTokenizer.from_pretrained(job.folder),
    )
    return trainer, "reward"


def train_trl(job: Job) -> tuple[Any, str]:
    """TRL 1.12's trainer, built as in its examples, and the key of the mean reward in its log."""
    import torch
    from datasets import Dataset
    from torch import nn
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
    from transformers.modeling_outputs import BaseModelOutput
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    class CountGood(nn.Module):
        """The running count of good tokens of the completion, in the place of hidden states (B, T, 1)."""

        def forward(self, input_ids: torch.Tensor, **kwargs: Any) -> BaseModelOutput:
            good = (input_ids < job.good) & (torch.arange(input_ids.size(1)) >= PROMPT)
            return BaseModelOutput(hidden_states=(good.cumsum(1).unsqueeze(-1) / COMPLETION,))

    class CountingRewardModel(nn.Module):
        """Shaped like a sequence classifier, which is what TRL 1.12 takes as a reward."""

        base_model_prefix = "backbone"

        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.score = CountGood(), nn.Identity()

    config = PPOConfig(
        **settings(job),
        total_episodes=job.updates * job.batch,
        num_ppo_epochs=PASSES,
        response_length=COMPLETION,
        cliprange=0.2,
        local_rollout_forward_batch_size=job.batch,
        num_sample_generations=0,
        logging_steps=1,
    )
    dataset = Dataset.from_dict({"input_ids": make_prompts(job)})
    load = {"pretrained_model_name_or_path": job.folder, "dtype": torch.float32}
    trainer = PPOTrainer(
        args=config,
        processing_class=AutoTokenizer.from_pretrained(job.folder),
        model=AutoModelForCausalLM.from_pretrained(**load),
        ref_model=AutoModelForCausalLM.from_pretrained(**load),
        reward_model=CountingRewardModel(),
        value_model=AutoModelForSequenceClassification.from_pretrained(**load, num_labels=1),
        train_dataset=dataset,
        eval_dataset=dataset,
    )
    return trainer, "objective/scores"


def measure(side: str, job: Job) -> dict[str, Any]:
    """Trains in this process. `train()` alone is timed; the peak is the whole process's, imports included."""
    import torch
    import trl

    torch.set_num_threads(job.threads)
    trainer, key = {"ours": train_ours, "trl": train_trl}[side](job)
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "samples/s": job.updates * job.batch / seconds,
        "peak memory": peak / 1e9,
        "rewards": [entry[key] for entry in trainer.state.log_history if key in entry],
        "versions": f"torch {torch.__version__}, trl {trl.__version__}",
    }


def run_child(python: str, side: str, job: Job) -> dict[str, Any]:
    """Measures one side in a process of its own."""
    settings = {"OMP_NUM_THREADS": str(job.threads), "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    command = [python, __file__, side, "--job", json.dumps(asdict(job))]
    environment = {**os.environ, **settings}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


Runs = list[dict[str, Any]]


def run_both(python: str, job: Job, seeds: int, threads: int, at_once: int = 1) -> tuple[Runs, Runs, float]:
    """Our runs, TRL's and the model's size in millions of weights; a seed and a turn per run."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as pool:
        size = make_model(folder, job)
        ours, trl = [], []
        for seed in range(seeds):
            own = replace(job, folder=folder, seed=seed, threads=threads)
            ours.append(pool.submit(run_child, sys.executable, "ours", own))
            trl.append(pool.submit(run_child, python, "trl", own))
        return [run.result() for run in ours], [run.result() for run in trl], size


def cpu_name() -> str:
    """The processor as the system names it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


def final_reward(run: dict[str, Any]) -> float:
    """Mean reward of the last quarter of the updates."""
    return statistics.mean(run["rewards"][-max(1, len(run["rewards"]) // 4) :])


def print_row(name: str, ours: list[float], trl: list[float], target: str) -> None:
    our, their = statistics.median(ours), statistics.median(trl)
    print(f"{name:20}{our:10.3f}{their:10.3f}{our / their:8.2f}   {target}")


def print_seeds(ours: list[float], trl: list[float]) -> None:
    for name, values in (("ours", ours), ("TRL 1.12", trl)):
        error = statistics.stdev(values) / len(values) ** 0.5
        seeds = " ".join(f"{value:.3f}" for value in values)
        print(f"{name:10}{statistics.mean(values):.3f} +- {error:.3f}   {seeds}")


def print_curve(name: str, runs: Runs) -> None:
    means = [statistics.mean(rewards) for rewards in zip(*(run["rewards"] for run in runs), strict=True)]
    print(f"{name:10}" + " ".join(f"{reward:.2f}" for reward in means[:: max(1, len(means) // 15)]))


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("python", help="the Python of the environment with trl==1.12.0")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side to measure the cost")
    parser.add_argument("--seeds", type=int, default=8, help="runs of each side to measure the reward")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:  # a child
        print(json.dumps(measure(options.python, Job(**json.loads(options.job)))))
        return
    ours, trl, size = run_both(options.python, COST, options.runs, options.threads)
    at_once = os.cpu_count() or 1  # not timed
    learners, their_learners, small = run_both(options.python, LEARNING, options.seeds, 1, at_once)
    python = platform.python_version()
    print(f"\n{cpu_name()}, {os.cpu_count()} cores, {options.threads} threads used, Python {python}")
    print(f"ours: {ours[0]['versions']}; theirs: {trl[0]['versions']}")
    print(f"medians of {options.runs} runs, for the reward of {options.seeds}")
    print(f"cost: {size:.0f}M weights, {COST}\nreward: {small:.1f}M weights, {LEARNING}\n")
    print(f"{'':20}{'ours':>10}{'TRL 1.12':>10}{'ratio':>8}   target")
    targets = (("samples/s", "", "at least 2.0"), ("peak memory", ", GB", "at most 0.6"))
    for name, unit, target in targets:
        print_row(name + unit, [run[name] for run in ours], [run[name] for run in trl], target)
    rewards = [[final_reward(run) for run in runs] for runs in (learners, their_learners)]
    print_row("reward at the end", *rewards, "at least 1")
    print("\nReward at the end: mean +- standard error, and of every seed")
    print_seeds(*rewards)
    print("\nMean reward along the way")
    print_curve("ours", learners)
    print_curve("TRL 1.12", their_learners)


if __name__ == "__main__":
    main()
