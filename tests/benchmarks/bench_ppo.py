"""Our PPO against TRL 1.12's PPOTrainer, the last one TRL had: samples a second, peak memory, reward reached.

Run by hand, with the Python of an environment that has trl==1.12.0:

    python tests/benchmarks/bench_ppo.py /path/to/trl112/bin/python

Both train the same random-initialised Llama on the same prompts, against the same reward (the share of the
completion's tokens whose id is below a threshold), with the same batch, passes, updates and learning rate, in
float32 on a CPU, each in a process of its own. They take turns, so that a busy machine hurts both.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

VOCAB, GOOD = 8192, 2048  # a random policy earns GOOD / VOCAB
PROMPT, COMPLETION = 8, 24
BATCH, PASSES = 8, 4
TARGETS = {"samples/s": "at least 1.5x", "peak memory": "at most 0.7x", "reward": "no lower"}
SETTINGS = {
    "per_device_train_batch_size": BATCH,
    "learning_rate": 1e-4,
    "lr_scheduler_type": "constant",
    "gamma": 1.0,
    "lam": 0.95,
    "kl_coef": 0.05,
    "vf_coef": 0.1,
    "cliprange_value": 0.2,
    "temperature": 1.0,
    "gradient_checkpointing": False,
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    "seed": 0,
}


def make_model(folder: str, size: int) -> None:
    """A Llama of 12 layers with random weights and a tokenizer of one token a word."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCAB)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    pad, eos = f"w{VOCAB - 1}", f"w{VOCAB - 2}"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token=pad, eos_token=eos, padding_side="left")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=size,
        intermediate_size=8 * size // 3,
        num_hidden_layers=12,
        num_attention_heads=size // 64,
        bos_token_id=None,
        eos_token_id=VOCAB - 2,
        pad_token_id=VOCAB - 1,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    print(f"Llama with {sum(p.numel() for p in model.parameters()) / 1e6:.0f}M parameters")


def make_prompts(count: int) -> list[list[int]]:
    """Token ids of `count` prompts of equal length."""
    import random

    generator = random.Random(0)
    return [[generator.randrange(VOCAB - 2) for _ in range(PROMPT)] for _ in range(count)]


def train_ours(folder: str, updates: int) -> tuple[Any, str]:
    """Our trainer, and the key of the mean reward in its log."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from datasets import Dataset
    from transformers import AutoTokenizer

    from ryven_llm_nodes.runtime.ppo import PPOConfig, PPOTrainer

    def reward(completion_ids: list[list[int]], **kwargs: Any) -> list[float]:
        return [sum(token < GOOD for token in ids) / COMPLETION for ids in completion_ids]

    # TRL 1.12 has no entropy bonus.
    config = PPOConfig(
        **SETTINGS,
        output_dir=tempfile.mkdtemp(),
        max_steps=updates * PASSES,
        num_iterations=PASSES,
        max_completion_length=COMPLETION,
        epsilon=0.2,
        entropy_coef=0.0,
        logging_steps=PASSES,
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = [" ".join(f"w{token}" for token in ids) for ids in make_prompts(updates * BATCH)]
    dataset = Dataset.from_dict({"prompt": prompts})
    return PPOTrainer(folder, reward, config, train_dataset=dataset, processing_class=tokenizer), "reward"


def train_trl(folder: str, updates: int) -> tuple[Any, str]:
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
            good = (input_ids < GOOD) & (torch.arange(input_ids.size(1)) >= PROMPT)
            return BaseModelOutput(hidden_states=(good.cumsum(1).unsqueeze(-1) / COMPLETION,))

    class CountingRewardModel(nn.Module):
        """Shaped like a sequence classifier, which is what TRL 1.12 takes as a reward."""

        base_model_prefix = "backbone"

        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.score = CountGood(), nn.Identity()

    config = PPOConfig(
        **SETTINGS,
        output_dir=tempfile.mkdtemp(),
        total_episodes=updates * BATCH,
        num_ppo_epochs=PASSES,
        response_length=COMPLETION,
        cliprange=0.2,
        local_rollout_forward_batch_size=BATCH,
        num_sample_generations=0,
        logging_steps=1,
    )
    dataset = Dataset.from_dict({"input_ids": make_prompts(updates * BATCH)})
    trainer = PPOTrainer(
        args=config,
        processing_class=AutoTokenizer.from_pretrained(folder),
        model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        ref_model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        reward_model=CountingRewardModel(),
        value_model=AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=1, dtype=torch.float32
        ),
        train_dataset=dataset,
        eval_dataset=dataset,
    )
    return trainer, "objective/scores"


def measure(side: str, folder: str, updates: int, threads: int) -> dict[str, Any]:
    """Trains in this process. Only `train()` is timed; the peak is the process's, imports and loading included."""
    import torch
    import trl

    torch.set_num_threads(threads)
    trainer, key = {"ours": train_ours, "trl": train_trl}[side](folder, updates)
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    rewards = [entry[key] for entry in trainer.state.log_history if key in entry]
    return {
        "samples_per_s": updates * BATCH / seconds,
        "peak_gb": peak / 1e9,
        "rewards": rewards,
        "versions": {"torch": torch.__version__, "trl": trl.__version__},
    }


def run_child(python: str, side: str, options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Measures one side in a process of its own."""
    arguments = [side, "--folder", folder, "--updates", str(options.updates), "--threads", str(options.threads)]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(options.threads),
        "HF_HUB_OFFLINE": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    done = subprocess.run(
        [python, __file__, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def cpu_name() -> str:
    """The processor as the system names it."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
    return names[0] if names else platform.processor()


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def report(ours: list[dict[str, Any]], trl: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Prints the table: medians of the runs; the reward is the mean of the last quarter of the updates."""
    last = max(1, options.updates // 4)
    rows = {
        "samples/s": [median([run["samples_per_s"] for run in runs]) for runs in (ours, trl)],
        "peak memory": [median([run["peak_gb"] for run in runs]) for runs in (ours, trl)],
        "reward": [median([sum(run["rewards"][-last:]) / last for run in runs]) for runs in (ours, trl)],
    }
    print(f"\n{cpu_name()}, {os.cpu_count()} cores, {options.threads} threads used, Python {platform.python_version()}")
    print(f"ours: {ours[0]['versions']}; theirs: {trl[0]['versions']}")
    print(f"{options.updates} updates of {BATCH} samples, {PASSES} passes each; {options.runs} runs a side, medians\n")
    print(f"{'':14}{'ours':>10}{'TRL 1.12':>10}{'ratio':>8}   target")
    for name, (our, their) in rows.items():
        print(f"{name:14}{our:10.3f}{their:10.3f}{our / their:8.2f}   {TARGETS[name]}")
    print("\nMean reward of each update of the first run (peak memory is in GB, of the whole process)")
    print("ours     " + " ".join(f"{reward:.2f}" for reward in ours[0]["rewards"]))
    print("TRL 1.12 " + " ".join(f"{reward:.2f}" for reward in trl[0]["rewards"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="the Python of the environment with trl==1.12.0")
    parser.add_argument("--updates", type=int, default=12)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=768, help="hidden size, a multiple of 64")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.python in ("ours", "trl"):  # a child
        print(json.dumps(measure(options.python, options.folder, options.updates, options.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_model(folder, options.size)
        ours, trl = [], []
        for _ in range(options.runs):
            ours.append(run_child(sys.executable, "ours", options, folder))
            trl.append(run_child(options.python, "trl", options, folder))
    report(ours, trl, options)


if __name__ == "__main__":
    main()
