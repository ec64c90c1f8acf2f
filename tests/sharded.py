"""Scripts on two processes that share the weights: on a CPU, over gloo.

accelerate shards on GPUs only. The processes here, forked from one that has imported the libraries, are told to.
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
from flows import node

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
DRIVER = """
import json, os, runpy, signal, socket, sys, threading, time, traceback
import torch
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType
from trl import DPOTrainer, GRPOTrainer, SFTTrainer

begin = AcceleratorState.__init__

def begin_sharding(self, *args, fsdp_plugin=None, **kwargs):
    begin(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
    if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP

AcceleratorState.__init__ = begin_sharding
torch.set_num_threads(1)

def die_at(checkpoint):
    while not os.path.exists(checkpoint):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)

def run(rank, port, launch):
    output = os.open(launch["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1), os.dup2(output, 2)
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
    if "ACCELERATE_USE_DEEPSPEED" in launch["env"]:
        PartialState._prepare_backend = lambda self, *args, **kwargs: ("gloo", DistributedType.MULTI_GPU)
    os.environ |= launch["env"] | {name: str(value) for name, value in place.items()} | {"MASTER_ADDR": "127.0.0.1"}
    if launch["killed_at"] and rank == 1:
        threading.Thread(target=die_at, args=(launch["killed_at"],)).start()
    sys.argv = [launch["script"], *launch["options"]]
    runpy.run_path(launch["script"], run_name="__main__")

def start(launch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    alive = []
    for rank in range(2):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                run(rank, port, launch)
                status = 0
            except BaseException:
                traceback.print_exc()
            os._exit(status)
        alive.append(pid)
    ended = []
    while alive:
        pid, status = os.waitpid(-1, 0)
        alive.remove(pid)
        ended.append(status)
        for other in alive if status else ():
            os.kill(other, signal.SIGKILL)
    return max(ended)

print(json.dumps([start(launch) for launch in json.loads(sys.argv[1])]))
"""
SHARDED = Launch({"processes": 2, "strategy": "fsdp2"})
WHOLE = Launch({"processes": 2, "strategy": "ddp"})
Case = tuple[str, bool]
"""A method, and whether it trains an adapter."""
CASES: list[Case] = list(itertools.product(TRAINERS, (False, True)))


def prepare(folder: Path, model: Path) -> None:
    """Puts the tiny model, rows of different lengths, and the driver into a folder."""
    (folder / "model").symlink_to(model)
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
    (folder / "driver.py").write_text(DRIVER)


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
    file = place / f"{method}{'_lora' if lora else ''}_{launch.strategy}.py"
    drawn = flows.draw(", ".join(wires), **nodes)
    file.write_text(flows.program(drawn, place, launch=launch).script_for(place).text)
    return file


def environment(launch: Launch, folder: Path) -> dict[str, str]:
    """What ``accelerate launch`` adds to the environment of the processes that it starts."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    file = folder / f"{launch.strategy}.yaml"
    file.write_text(accelerate_text(launch))
    arguments = ["--config_file", str(file), "--main_process_port", "0", "script.py"]
    found, defaults, _ = _validate_launch_command(launch_command_parser().parse_args(arguments))
    if launch.strategy.startswith("zero"):
        found.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)
        env = prepare_deepspeed_cmd_env(found)[1] | {"DS_ACCELERATOR": "cpu", "ACCELERATE_TORCH_DEVICE": "cpu"}
    else:
        env = prepare_multi_gpu_env(found)
    return {name: value for name, value in env.items() if os.environ.get(name) != value}


def started(place: Path, out: Path, launch: Launch, case: Case, killed: bool = False, resume: bool = False) -> Any:
    """A launch of one script, for the driver."""
    device = ["--stage.use_cpu", "False"] if launch.strategy.startswith("zero") else []
    return {
        "script": str(script(place, *case, launch)),
        "options": ["--output-dir", str(out), *(["--resume"] if resume else []), *device],
        "env": environment(launch, place),
        "killed_at": str(out / "stage/checkpoints/checkpoint-1") if killed else "",
        "log": f"{out}.log",
    }


def drive(place: Path, launches: list[Any], python: str = sys.executable) -> list[int]:
    """Runs launches one after the other, each in two processes that are forked from one; returns how they ended."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [python, "driver.py", json.dumps(launches)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=place, timeout=400)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


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
