"""Exported scripts on two processes: what is learned is what one process learns with twice the batch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node
from rotation import turn

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, LoadDataset, LoRA, RewardFunction, TrainRewardModel
from ryven_llm_nodes.run import run_program

TRAINERS = {"sft": SFT, "dpo": DPO, "grpo": GRPO, "ppo": PPO, "judge": TrainRewardModel}
FIXED = {"global_batch_size": 8, "save_steps": 2}
"""Of scripts that one and two processes run as they are."""
STEPS: Mapping[str, Any] = {
    "max_steps": 4,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "save_steps": 4,
}
WARM: Mapping[str, Mapping[str, Any]] = {
    "sft": {"warmup_steps": 0},
    "dpo": {},
    "judge": {},
    "grpo": {"max_completion_length": 8, "num_generations": 4, "num_iterations": 2},
    "ppo": {"max_completion_length": 8, "num_iterations": 2, "cliprange_value": 0.05},
}
RESUMED = ("sft_lora", "dpo_lora", "judge_lora")
SCORES = """import os
import json

def letters(completions, prompts, **kwargs):
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    with open(os.environ["SEEN"] + os.environ.get("RANK", "0"), "a") as file:
        file.write(json.dumps(texts) + "\\n")
    return [len(set(text)) / 4 + len(prompt) % 3 for text, prompt in zip(texts, map(str, prompts))]
"""
RUN_ALL = """
import os, runpy, sys
import torch
from accelerate import PartialState
from transformers import GenerationMixin

PartialState.destroy_process_group = lambda self: None  # there is another script to run
calls = []

def generate(model, input_ids, **kwargs):
    '''Completions that depend on nothing but the place of a row among those of all processes, and the call.'''
    rank, rows = int(os.environ.get("RANK", 0)), len(input_ids)
    new = torch.full((rows, 8), 1)
    for i in range(rows):
        draw = torch.Generator().manual_seed(1000 * len(calls) + rank * rows + i)
        length = int(torch.randint(1, 8, (), generator=draw))
        new[i, :length] = torch.randint(4, 200, (length,), generator=draw)
    calls.append(rows)
    return torch.cat([input_ids, new], dim=1)

torch.set_num_threads(1)
out, is_drawn, *scripts = sys.argv[1:]
if is_drawn == "told":
    GenerationMixin.generate = generate
for script in scripts:
    calls.clear()
    name = os.path.basename(script)[:-3]
    sys.argv = [script, "--output-dir", os.path.join(out, name), "--resume"]
    runpy.run_path(script, run_name="__main__")
if torch.distributed.is_initialized():
    torch.distributed.destroy_process_group()  # its threads must not outlive the interpreter
"""


@pytest.fixture(scope="module")
def place(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, and rows of very different lengths."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "model").symlink_to(workspace / "model")
    rows = {
        "sft": [{"prompt": f"what is {i}", "completion": " answer" * (1 + i * i % 7)} for i in range(32)],
        "dpo": [
            {"prompt": f"is {i}", "chosen": " yes" * (1 + i % 5), "rejected": " no no" * (i % 3)} for i in range(32)
        ],
        "ppo": [{"prompt": f"what is{' so' * (i % 4)} {i}"} for i in range(32)],
    }
    rows |= {"grpo": rows["ppo"], "judge": rows["dpo"]}
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "run_all.py").write_text(RUN_ALL)
    return folder


def script(place: Path, method: str, batch: int, lora: bool = False, **params: Any) -> Path:
    """The script of one stage for any number of processes, whose batch size on each is ``batch``."""
    settings = {**STEPS, **WARM[method], "per_device_train_batch_size": batch, **params}
    nodes = {
        "base": flows.BASE,
        "rows": node(LoadDataset, path=f"{method}.jsonl"),
        "stage": node(TRAINERS[method], **settings),
        **({"letters": node(RewardFunction, code=SCORES)} if method in ("ppo", "grpo") else {}),
        **({"lora": node(LoRA, r=4)} if lora else {}),
    }
    wires = ["base -> stage", "rows -> stage", *(f"{name} -> stage" for name in ("letters", "lora") if name in nodes)]
    file = place / f"{method}{'_lora' if lora else ''}.py"
    file.write_text(flows.program(flows.draw(", ".join(wires), **nodes), place, processes=2).script_for(place).text)
    return file


def launch(place: Path, out: Path, processes: int, scripts: list[Path], told: bool = True) -> None:
    """Runs the scripts one after the other in ``processes`` processes over gloo."""
    parallel = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"] if processes > 1 else []
    arguments = [str(place / "run_all.py"), str(out), "told" if told else "drawn", *map(str, scripts)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "SEEN": f"{out}-seen-", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, *parallel, *arguments], env=env, capture_output=True, text=True, check=False, cwd=place
    )
    assert done.returncode == 0, done.stderr[-4000:]


def history(out: Path, name: str) -> list[dict[str, float]]:
    state = json.loads((out / name / "stage/checkpoints/checkpoint-4/trainer_state.json").read_text())
    return [entry for entry in state["log_history"] if "loss" in entry]


def begun_by_two(place: Path, two: Path, one: Path, name: str) -> Path:
    """A script whose stage has a checkpoint of two processes, in the middle of training, for one to resume from."""
    script = place / f"{name}_resumed.py"
    shutil.copyfile(place / f"{name}.py", script)
    checkpoints = Path("stage/checkpoints/checkpoint-2")
    shutil.copytree(two / name / checkpoints, one / script.stem / checkpoints)
    return script


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_with_twice_the_batch(place: Path, tmp_path: Path) -> None:
    """All four methods, with and without LoRA, and a reward model: every logged loss within 1e-4.

    With LoRA one process runs the very script of two, whose global batch is fixed, and, where nothing is drawn, resumes
    from a checkpoint of theirs.
    """
    cases = [(method, False) for method in WARM if method != "judge"] + [(method, True) for method in TRAINERS]
    same = [script(place, method, 4, True, **FIXED) for method in TRAINERS]
    launch(place, tmp_path / "two", 2, [script(place, method, 4) for method, lora in cases if not lora] + same)
    begun = [begun_by_two(place, tmp_path / "two", tmp_path / "one", name) for name in RESUMED]
    twice = [script(place, method, 8) for method, lora in cases if not lora]
    launch(place, tmp_path / "one", 1, [*twice, *same, *begun])
    names = [f"{method}{'_lora' if lora else ''}" for method, lora in cases]
    for name, again in [*zip(names, names, strict=True), *((name, f"{name}_resumed") for name in RESUMED)]:
        one, two = history(tmp_path / "one", again), history(tmp_path / "two", name)
        assert len(one) == len(two) == 4
        for alone, together in zip(one, two, strict=True):
            assert together["loss"] == pytest.approx(alone["loss"], abs=1e-4), name
            assert together["grad_norm"] == pytest.approx(alone["grad_norm"], rel=0.01, abs=1e-4), name
            for key in ("ppo/value_loss", "ppo/policy_loss", "ppo/kl", "ppo/explained_variance", "rewards/margins"):
                if key in alone:
                    assert together[key] == pytest.approx(alone[key], abs=1e-3), (name, key)
        assert len({entry["loss"] for entry in one}) == 4, "the test needs losses that differ"
    for script_ in begun:
        states = (tmp_path / "one" / script_.stem / "stage/checkpoints/checkpoint-2").glob("rng_state*")
        assert [file.name for file in states] == ["rng_state.pth"], "it was resumed from"


@pytest.mark.slow
def test_a_run_accumulates_as_the_global_batch_asks_for(workspace: Path, tmp_path: Path) -> None:
    weights = []
    for params in ({"global_batch_size": 8}, {"gradient_accumulation_steps": 2}, {}):
        program = flows.program(flows.alone("sft", **params), workspace)
        outcome = run_program(program, tmp_path / f"{len(weights)}")
        assert outcome.error is None
        weights.append((outcome.models["sft"] / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.slow
@pytest.mark.parametrize("method", turn(["ppo", "grpo"], 2))
def test_every_process_draws_completions_of_its_own(method: str, place: Path, tmp_path: Path) -> None:
    launch(place, tmp_path / "out", 2, [script(place, method, 4, num_train_epochs=1)], told=False)
    first, second = ((tmp_path / f"out-seen-{rank}").read_text().splitlines() for rank in (0, 1))
    calls = [(json.loads(mine), json.loads(other)) for mine, other in zip(first, second, strict=True)]
    alike = [mine[:3] == other[:3] for call in calls for mine, other in zip(*call, strict=True)]
    assert len(alike) >= 8
    assert sum(alike) <= len(alike) // 8
