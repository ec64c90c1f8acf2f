"""Exported scripts on two processes that share the weights by FSDP2: what is learned and saved is what DDP gives.

accelerate shards on GPUs only. Here two processes on a CPU, over gloo, are told to.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node
from rotation import turn

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, LoadDataset, LoRA, RewardFunction
from ryven_llm_nodes.program.launch.accelerate import accelerate_text
from ryven_llm_nodes.program.launch.settings import Launch

TRAINERS = {"sft": SFT, "dpo": DPO, "grpo": GRPO, "ppo": PPO}
STEPS: Mapping[str, Any] = {
    "max_steps": 3,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "save_steps": 1,
    "seed": 3,
}
ROLLOUT: Mapping[str, Any] = {  # completions of very different lengths: some end at once
    "max_completion_length": 32,
    "generation_kwargs": {"sequence_bias": [[[1], 4.0]]},
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 2,
}
OWN: Mapping[str, Mapping[str, Any]] = {
    "sft": {"warmup_steps": 0},
    "dpo": {},
    "grpo": {**ROLLOUT, "num_generations": 4, "beta": 0.1},
    "ppo": {**ROLLOUT, "num_iterations": 1, "kl_coef": 0.1},
}
SCORES = """def letters(completions, prompts, **kwargs):
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    return [len(set(text)) / 4 + len(prompt) % 3 for text, prompt in zip(texts, map(str, prompts))]
"""
RUN_ALL = """
import os, runpy, signal, sys, threading, time
import torch
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

begin = AcceleratorState.__init__

def begin_sharding(self, *args, fsdp_plugin=None, **kwargs):
    begin(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
    if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP

def die_at(checkpoint):
    while not os.path.exists(checkpoint):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)

AcceleratorState.__init__ = begin_sharding
ended, PartialState.destroy_process_group = PartialState.destroy_process_group, lambda self, group=None: None
torch.set_num_threads(1)
out, options, *scripts = sys.argv[1:]
for script in scripts:
    name = os.path.basename(script)[:-3]
    sys.argv = [script, "--output-dir", os.path.join(out, name), *options.split()]
    if (killed := os.environ.get("KILLED_AT")) and os.environ["RANK"] == "1":
        threading.Thread(target=die_at, args=(os.path.join(out, name, "stage/checkpoints", killed),)).start()
    runpy.run_path(script, run_name="__main__")
ended(PartialState())
"""
SHARDED = Launch({"processes": 2, "strategy": "fsdp2"})
WHOLE = Launch({"processes": 2, "strategy": "ddp"})
CASES = list(itertools.product(TRAINERS, (False, True)))


@pytest.fixture(scope="module")
def place(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, and rows of different lengths."""
    folder = tmp_path_factory.mktemp("sharding")
    (folder / "model").symlink_to(workspace / "model")
    prompts = [{"prompt": f"what is{' so' * (i % 4)} {i}"} for i in range(32)]
    rows = {
        "sft": [{"prompt": f"what is {i}", "completion": " answer" * (1 + i * i % 7)} for i in range(32)],
        "dpo": [
            {"prompt": f"is {i}", "chosen": " yes" * (1 + i % 5), "rejected": " no no" * (i % 3)} for i in range(32)
        ],
        "grpo": prompts,
        "ppo": prompts,
    }
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "run_all.py").write_text(RUN_ALL)
    return folder


def script(place: Path, method: str, lora: bool, launch: Launch, **params: Any) -> Path:
    """The script of one stage."""
    nodes = {
        "base": flows.BASE,
        "rows": node(LoadDataset, path=f"{method}.jsonl"),
        "stage": node(TRAINERS[method], **{**STEPS, **OWN[method], **params}),
        **({"letters": node(RewardFunction, code=SCORES)} if method in ("ppo", "grpo") else {}),
        **({"lora": node(LoRA, r=4)} if lora else {}),
    }
    wires = ["base -> stage", "rows -> stage", *(f"{name} -> stage" for name in ("letters", "lora") if name in nodes)]
    file = place / f"{method}{'_lora' if lora else ''}.py"
    drawn = flows.draw(", ".join(wires), **nodes)
    file.write_text(flows.program(drawn, place, launch=launch).script_for(place).text)
    return file


def start(
    place: Path, out: Path, launch: Launch, cases: list[tuple[str, bool]], options: str = "", **params: Any
) -> str:
    """Runs scripts one after the other as accelerate launches them; returns what went wrong."""
    (place / "launch.yaml").write_text(accelerate_text(launch))
    scripts = [str(script(place, method, lora, launch, **params)) for method, lora in cases]
    command = ["-m", "accelerate.commands.launch", "--config_file", "launch.yaml", "--main_process_port", "0"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, *command, "run_all.py", str(out), options, *scripts],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
        timeout=120,
    )
    return done.stdout + done.stderr if done.returncode else ""


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "stage/model.safetensors").read_bytes()).hexdigest()


def logits(folder: Path) -> Any:
    """What a saved model says, opened outside."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    assert type(model).__name__ == "LlamaForCausalLM"
    with torch.no_grad():
        return model(torch.arange(4, 36).view(2, 16)).logits


@pytest.mark.slow
def test_sharded_weights_are_trained_and_saved_like_whole_ones(place: Path, tmp_path: Path) -> None:
    """Models, opened outside, give the same logits within 1e-4; with LoRA, the adapter is merged."""
    import torch

    cases = turn(CASES, 8)
    assert start(place, tmp_path / "whole", WHOLE, cases) == ""
    assert start(place, tmp_path / "sharded", SHARDED, cases) == ""
    for method, lora in cases:
        name = f"{method}{'_lora' if lora else ''}/stage"
        whole, parts = logits(tmp_path / "whole" / name), logits(tmp_path / "sharded" / name)
        torch.testing.assert_close(parts, whole, atol=1e-4, rtol=0, msg=lambda text, name=name: f"{name}: {text}")
        assert (whole - logits(place / "model")).abs().max() > 1e-2, "the test needs weights that moved"


@pytest.mark.slow
@pytest.mark.parametrize(("method", "lora"), turn([("ppo", False), ("sft", True), ("grpo", False), ("ppo", True)], 4))
def test_a_killed_process_costs_nothing(
    method: str, lora: bool, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two processes is killed; the run that resumes ends with the bits of an uninterrupted one."""
    case, name = [(method, lora)], f"{method}{'_lora' if lora else ''}"
    assert start(place, tmp_path / "whole", SHARDED, case) == ""
    monkeypatch.setenv("KILLED_AT", "checkpoint-1")
    assert "SIGKILL" in start(place, tmp_path / "killed", SHARDED, case)
    assert not (tmp_path / "killed" / name / "stage/finished").exists()
    monkeypatch.delenv("KILLED_AT")
    assert start(place, tmp_path / "killed", SHARDED, case, "--resume") == ""
    assert digest(tmp_path / "killed" / name) == digest(tmp_path / "whole" / name)
