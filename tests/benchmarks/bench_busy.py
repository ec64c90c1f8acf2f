"""What a busy machine costs: generation with and without a passive wait, alone and beside other busy processes.

Run by hand: ``python tests/benchmarks/bench_busy.py MODEL``, with a folder of SmolLM2-135M (the demo leaves one in
``base-model``). Each measurement is a process of its own that generates 32 tokens for 8 prompts with torch's own
number of threads; the library's own wait and ours take turns, first on a quiet machine, then beside ``--busy``
processes that do nothing but count. Shown are the medians, and the median of the ratios of ours to the own.

With ``--demo``, the whole of ``ryven-llm demo`` is timed beside the busy processes too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PREPARE = "from ryven_llm_nodes.program.environment import prepare_environment as prepare; prepare()"

GENERATE = """
import os, sys, time
exec(os.environ["PREPARE"])
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], padding_side="left")
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype="float32")
inputs = tokenizer([f"The {word} is" for word in "sun moon sea sky king queen cat dog".split()],
    return_tensors="pt", padding=True)
options = {"do_sample": False, "pad_token_id": tokenizer.pad_token_id}
with torch.no_grad():
    model.generate(**inputs, max_new_tokens=2, **options)
    start = time.perf_counter()
    model.generate(**inputs, max_new_tokens=32, min_new_tokens=32, **options)
print(time.perf_counter() - start)
"""


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Inside, ``count`` other processes keep a processor each busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def generation(model: str, wait: str) -> float:
    """Seconds to generate 32 tokens for 8 prompts."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    env |= {"HF_HUB_OFFLINE": "1", "PREPARE": PREPARE if wait == "ours" else "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", GENERATE, model], env=env, capture_output=True, text=True, check=True)
    return float(done.stdout)


def compare(model: str, rounds: int) -> str:
    """Medians of both waits, and of their ratio in pairs."""
    times: dict[str, list[float]] = {"own": [], "ours": []}
    for i in range(rounds):
        for wait in ("own", "ours") if i % 2 else ("ours", "own"):
            times[wait].append(generation(model, wait))
    ratio = statistics.median(p / a for p, a in zip(times["ours"], times["own"], strict=True))
    medians = ", ".join(f"{wait} {statistics.median(found):.2f} s" for wait, found in times.items())
    return f"{medians}, ours / own {ratio:.3f}"


def demo() -> str:
    """Minutes that the demo takes, as its user starts it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    env["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c", "from ryven_llm_nodes.cli import main; main()", "demo"]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([*command, folder], env=env, capture_output=True, check=True)
        return f"demo {(time.perf_counter() - started) / 60:.1f} minutes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", type=int, default=1)
    parser.add_argument("--demo", action="store_true")
    options = parser.parse_args()
    print(f"quiet: {compare(options.model, options.rounds)}", flush=True)
    with busy(options.busy):
        print(f"beside {options.busy}: {compare(options.model, max(options.rounds // 2, 1))}", flush=True)
        if options.demo:
            print(f"beside {options.busy}: {demo()}", flush=True)


if __name__ == "__main__":
    main()
