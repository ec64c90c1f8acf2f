"""The methods of the gym, each with the same completions, batches, passes and learning rate.

Everything else is a method's own default: a user who sets nothing gets these. `Method.settings` is for variants.
"""

import gc
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from .learning import Watch, completion_of, reward_functions
from .models import model_folder
from .tasks import Task

PASSES = 4
"""Over each rollout."""
KINDS = ("ppo", "grpo", "rloo", "trl-1.12-ppo")


@dataclass(frozen=True)
class Method:
    """A kind of trainer, and the settings in which it differs from the defaults."""

    name: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)

    def settings_for(self, task: Task) -> dict[str, Any]:
        """The settings on one task: the task's for this kind, then the method's."""
        return {**task.settings.get(self.kind, {}), **self.settings}


def method_of(text: str) -> Method:
    """The method that the command line names: `grpo`, or `NAME=KIND:{"kl_coef": 0}` for a variant."""
    name, _, rest = text.partition("=")
    kind, _, settings = (rest or name).partition(":")
    if kind not in KINDS:
        raise SystemExit(f"--methods: {kind!r} is no method. Known: {', '.join(KINDS)}.")
    return Method(name, kind, json.loads(settings or "{}"))


def shared_settings(task: Task, seed: int, folder: str) -> dict[str, Any]:
    """The arguments that the configurations of all methods have."""
    return {
        "output_dir": folder,
        "seed": seed,
        "learning_rate": task.learning_rate,
        "lr_scheduler_type": "constant",
        "per_device_train_batch_size": task.rollout,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "temperature": 1.0,
    }


def lora_of(task: Task) -> Any:
    """The adapter of a task that has one."""
    if not task.lora:
        return None
    from peft import LoraConfig

    return LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")


def prompts_of(task: Task, seed: int, group: int) -> list[str]:
    """A prompt for every group of completions; one more rollout than is needed, so that no epoch ends early."""
    return list(islice(task.prompts(seed), (task.completions + task.rollout) // group))


def make_trainer(kind: str, **parts: Any) -> Any:
    """Our PPO, or TRL's GRPO or RLOO; `config` are the settings of its configuration."""
    import trl

    if kind == "ppo":
        from ryven_llm_nodes.runtime.ppo import PPOConfig, PPOTrainer

        classes = PPOTrainer, PPOConfig
    else:
        classes = getattr(trl, f"{kind.upper()}Trainer"), getattr(trl, f"{kind.upper()}Config")
    return classes[0](args=classes[1](**parts.pop("config")), **parts)


def train_here(task: Task, method: Method, seed: int, cache: Path) -> Watch:
    """Train with a trainer of the installed TRL, in this process."""
    from datasets import Dataset
    from transformers import AutoTokenizer, set_seed

    set_seed(seed)
    folder, group = str(model_folder(task.model, cache)), 1 if method.kind == "ppo" else task.group
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    watch = Watch(task)
    with tempfile.TemporaryDirectory() as output:
        config = {
            **shared_settings(task, seed, output),
            "max_steps": task.completions // task.rollout * PASSES,
            "num_iterations": PASSES,
            "max_completion_length": task.length,
            **({} if group == 1 else {"num_generations": group}),
            **({"reward_weights": list(task.weights)} if task.weights else {}),
            **method.settings_for(task),
        }
        trainer = make_trainer(
            method.kind,
            config=config,
            model=folder,
            reward_funcs=reward_functions(watch, tokenizer.eos_token_id),
            train_dataset=Dataset.from_dict({"prompt": prompts_of(task, seed, group)}),
            processing_class=tokenizer,
            peft_config=lora_of(task),
        )
        watch.start()
        trainer.train()
    del trainer
    gc.collect()
    return watch


def train_old(task: Task, method: Method, seed: int, cache: Path, python: str, smollm: str | None) -> dict[str, Any]:
    """Train with TRL 1.12's PPO, by the Python of its environment, in a process of its own."""
    order = {
        "task": task.name,
        "completions": task.completions,
        "seed": seed,
        "cache": str(cache),
        "smollm": smollm,
        "settings": method.settings_for(task),
    }
    environment = {**os.environ, "TRL_EXPERIMENTAL_SILENCE": "1"}
    command = [python, "-m", "rl.old_ppo", json.dumps(order)]
    folder = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def untrained(task: Task, cache: Path, count: int) -> float:
    """The mean success of `count` completions of the untrained model: the start of every method."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

    set_seed(0)
    folder = model_folder(task.model, cache)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    prompts = list(islice(task.prompts(-1), count))
    found = []
    for start in range(0, count, 64):
        batch = tokenizer(prompts[start : start + 64], return_tensors="pt", padding=True, return_token_type_ids=False)
        sampled = model.generate(**batch, do_sample=True, top_k=0, max_new_tokens=task.length)
        for prompt, row in zip(
            prompts[start : start + 64], sampled[:, batch.input_ids.size(1) :].tolist(), strict=True
        ):
            ids = row[: row.index(tokenizer.eos_token_id) + 1] if tokenizer.eos_token_id in row else row
            text = tokenizer.decode(ids, skip_special_tokens=True)
            found.append(task.success(completion_of(task, prompt, text, ids, tokenizer.eos_token_id)))
    return sum(found) / len(found)
