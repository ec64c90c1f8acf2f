"""What this package costs: SFT and GRPO in process, by the exported script, and by a script as a TRL user writes it.

Run by hand: ``python tests/benchmarks/bench_overhead.py``. All three train the same random-initialised Llama of about
20 million parameters on the same data with the same settings, each in a process of its own on the same two cores, and
take turns so that a busy machine hurts all. Shown are the medians of: the time inside ``trainer.train()``, by the clock
and in processor time, which other programs disturb less; the time of the whole process; and its peak memory. Then the
median of the ratios to the hand-written script, round by round. The final weights have to be the same.

On a busy machine take ``--threads 1``: threads that wait for one another multiply every disturbance.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import runpy
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
ROOT = Path(__file__).parents[2]

MODES = ("in process", "script", "by hand")
TASKS = ("sft", "grpo")
SHARED = {"gradient_checkpointing": False, "learning_rate": 1e-4, "logging_steps": 1, "save_strategy": "no", "seed": 7}
SHARED |= {"report_to": "none", "lr_scheduler_type": "constant"}
SFT_SETTINGS = SHARED | {"per_device_train_batch_size": 4, "weight_decay": 0.0, "warmup_steps": 0}
GRPO_SETTINGS = SHARED | {"per_device_train_batch_size": 8, "num_generations": 4, "max_completion_length": 32}

REWARD = '''def variety(completions, **kwargs):
    """The share of characters that differ."""
    return [len(set(text)) / max(len(text), 1) for text in completions]
'''
BY_HAND = {
    "sft": """
import torch
from datasets import load_dataset
from transformers import set_seed
from trl import SFTConfig, SFTTrainer

gpu = torch.cuda.is_available()
trainer = SFTTrainer(
    model="model",
    args=SFTConfig(output_dir="hand/checkpoints", max_steps={steps}, use_cpu=not gpu, bf16=gpu, **{settings}),
    train_dataset=load_dataset("json", data_files="rows.jsonl", split="train"),
)
set_seed(trainer.args.seed)
trainer.train()
trainer.save_model("hand/sft")
""",
    "grpo": REWARD
    + """

import torch
from datasets import load_dataset
from transformers import set_seed
from trl import GRPOConfig, GRPOTrainer

gpu = torch.cuda.is_available()
trainer = GRPOTrainer(
    model="model",
    reward_funcs=variety,
    args=GRPOConfig(output_dir="hand/checkpoints", max_steps={steps}, use_cpu=not gpu, bf16=gpu, **{settings}),
    train_dataset=load_dataset("json", data_files="prompts.jsonl", split="train"),
)
set_seed(trainer.args.seed)
trainer.train()
trainer.save_model("hand/grpo")
""",
}
WHERE = {"in process": "run", "script": "script", "by hand": "hand"}


# The child: one run


def child(mode: str, task: str) -> None:
    """Trains in the current folder; prints times and peak memory as JSON."""
    spent = timed_training()
    if mode == "in process":
        from ryven_llm_nodes.program import build, read_flow
        from ryven_llm_nodes.run import run_program

        outcome = run_program(build(read_flow(Path(f"{task}.json"))), Path("run"))
        assert outcome.status == "done", outcome.error
    else:
        sys.argv = [f"{WHERE[mode]}_{task}.py", *(["--output-dir", "script"] if mode == "script" else [])]
        runpy.run_path(sys.argv[0], run_name="__main__")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print("RESULT " + json.dumps({**spent, "peak": peak}))


def timed_training() -> dict[str, float]:
    """Times every ``train()`` from now on, the same way in all modes; the dictionary is filled when it is over."""
    import transformers

    spent: dict[str, float] = {}
    train = transformers.Trainer.train

    def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        wall, processor = time.perf_counter(), time.process_time()
        result = train(self, *args, **kwargs)
        spent.update(train=time.perf_counter() - wall, processor=time.process_time() - processor)
        return result

    transformers.Trainer.train = timed
    return spent


# The parent: prepares, and starts children in turn


def prepare(folder: Path, steps: int) -> None:
    """Model, data, flows, exported and hand-written scripts."""
    import flows

    counts = [" ".join(map(str, range(i % 40, i % 40 + 40))) for i in range(256)]
    rows = [{"prompt": f"count to {i}:", "completion": f" {count}"} for i, count in enumerate(counts)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "prompts.jsonl").write_text("".join(json.dumps({"prompt": row["prompt"]}) + "\n" for row in rows))
    write_model(folder / "model")
    for task, settings in zip(TASKS, (SFT_SETTINGS, GRPO_SETTINGS), strict=True):
        flows.save(flow(task, steps), folder / f"{task}.json")
        text = flows.program(flow(task, steps), folder).script.text
        (folder / f"script_{task}.py").write_text(text)
        hand = BY_HAND[task].replace("{steps}", str(steps)).replace("{settings}", repr(settings))
        (folder / f"hand_{task}.py").write_text(hand)


def flow(task: str, steps: int) -> dict[str, Any]:
    """The flow of a task, with the settings of the hand-written script."""
    from flows import BASE, draw, node

    from ryven_llm_nodes.catalogue import GRPO, SFT, LoadDataset, RewardFunction

    if task == "sft":
        sft = node(SFT, max_steps=steps, **SFT_SETTINGS)
        return draw("base -> sft, rows -> sft", task, base=BASE, rows=node(LoadDataset, path="rows.jsonl"), sft=sft)
    grpo = node(GRPO, max_steps=steps, reward_threshold=None, epsilon=0.2, **GRPO_SETTINGS)
    nodes = {"rows": node(LoadDataset, path="prompts.jsonl"), "variety": node(RewardFunction, code=REWARD)}
    return draw("base -> grpo, rows -> grpo, variety -> grpo", task, base=BASE, **nodes, grpo=grpo)


def write_model(folder: Path) -> None:
    """A Llama of 6 layers and 512 dimensions, 19 million parameters, with random weights."""
    import flows
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = flows.make_tokenizer()
    sizes = {"hidden_size": 512, "intermediate_size": 1376, "num_hidden_layers": 6, "num_attention_heads": 8}
    tokens = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None, "vocab_size": len(tokenizer)}
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=8, **tokens)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def start(mode: str, task: str, folder: Path, cores: str, threads: int) -> dict[str, float]:
    """Runs a child on ``cores``; its figures, with the time of the whole process and the hash of the weights."""
    pinned = ["taskset", "-c", cores] if shutil.which("taskset") else []
    command = [*pinned, sys.executable, str(Path(__file__).resolve()), "--child", mode, task]
    path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)])
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    shutil.rmtree(folder / WHERE[mode], ignore_errors=True)  # a finished stage is not run again
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    whole = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    line = next(line for line in done.stdout.split("\n") if line.startswith("RESULT "))
    weights = (folder / WHERE[mode] / task / "model.safetensors").read_bytes()
    return {**json.loads(line[7:]), "whole": whole, "sha256": hashlib.sha256(weights).hexdigest()}  # type: ignore[dict-item]


def table(results: dict[tuple[str, str], list[dict[str, float]]]) -> None:
    """Medians, and the median of the ratios to the hand-written script of the same round."""
    titles = f"{'train s':>8} {'cpu s':>8} {'whole s':>8} {'MiB':>6}   {'ratios to the script by hand':<36}"
    print(f"{'':>5} {'':>11} {titles} weights")
    for (task, mode), runs in results.items():
        fields = ("train", "processor", "whole", "peak")
        values = [statistics.median(run[field] for run in runs) for field in fields]
        hand = results[task, "by hand"]
        ratios = [statistics.median(a[f] / b[f] for a, b in zip(runs, hand, strict=True)) for f in fields]
        text = "  ".join(f"{ratio:.3f}" for ratio in ratios)
        same = {run["sha256"] for run in (*runs, *hand)}
        numbers = f"{values[0]:8.2f} {values[1]:8.2f} {values[2]:8.2f} {values[3] / 2**20:6.0f}"
        print(f"{task:>5} {mode:>11} {numbers}   {text:<36} {'the same' if len(same) == 1 else 'DIFFERENT'}")


def cpu_name() -> str:
    """The processor as the system names it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.processor())


def main() -> None:
    """Prints the table."""
    import torch
    import transformers
    import trl

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--cores", default="0,1", help="processor cores that children are pinned to")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(f"{cpu_name()}, cores {options.cores}; load {os.getloadavg()[0]:.1f}; {platform.platform()}")
    libraries = ", ".join(f"{module.__name__} {module.__version__}" for module in (torch, transformers, trl))
    print(f"Python {platform.python_version()}, {libraries}")
    print(f"{options.steps} steps, {options.repeats} rounds, {options.threads} threads")
    results: dict[tuple[str, str], list[dict[str, float]]] = {(task, mode): [] for task in TASKS for mode in MODES}
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), options.steps)
        for i in range(options.repeats):
            for task in TASKS:
                for mode in MODES[i % 3 :] + MODES[: i % 3]:
                    results[task, mode].append(start(mode, task, Path(name), options.cores, options.threads))
    table(results)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3])
    else:
        main()
