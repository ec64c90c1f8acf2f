"""One run of TRL 1.12's PPOTrainer, the last one TRL had: `python -m rl.old_ppo`, by the Python of its own environment.

The order is JSON on the command line, the learning curve is the last line of the output.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, set_seed
from transformers.modeling_outputs import BaseModelOutput

from .learning import Watch, completion_of
from .methods import PASSES, lora_of, prompts_of, shared_settings
from .models import model_folder
from .tasks import Task, shortened, tasks


class Scores(nn.Module):
    """The reward of a task in the place of hidden states (B, T, 1): TRL 1.12 reads it at the last token."""

    def __init__(self, watch: Watch, tokenizer: Any, prompt_length: int) -> None:
        super().__init__()
        self.watch, self.tokenizer, self.prompt_length = watch, tokenizer, prompt_length

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any) -> BaseModelOutput:
        completions = [
            self.completion(*row) for row in zip(input_ids.tolist(), attention_mask.bool().tolist(), strict=True)
        ]
        self.watch.add(completions)
        totals = torch.tensor([self.watch.task.total(completion) for completion in completions])
        return BaseModelOutput(hidden_states=(totals.view(-1, 1, 1).expand(*input_ids.shape, 1),))

    def completion(self, ids: list[int], mask: list[bool]) -> Any:
        """A row without its padding; where EOS is the padding, the first one was masked with it."""
        tokenizer, split = self.tokenizer, self.prompt_length
        prompt = [token for token, real in zip(ids[:split], mask[:split], strict=True) if real]
        own = [token for token, real in zip(ids[split:], mask[split:], strict=True) if real]
        if tokenizer.pad_token_id == tokenizer.eos_token_id and len(own) < self.watch.task.length:
            own.append(tokenizer.eos_token_id)
        texts = (tokenizer.decode(part, skip_special_tokens=True) for part in (prompt, own))
        return completion_of(self.watch.task, *texts, own, tokenizer.eos_token_id)


class RewardModel(nn.Module):
    """Shaped like a sequence classifier, which is what TRL 1.12 takes as a reward."""

    base_model_prefix = "backbone"

    def __init__(self, *parts: Any) -> None:
        super().__init__()
        self.backbone, self.score = Scores(*parts), nn.Identity()


def make_config(task: Task, seed: int, output: str, settings: dict[str, Any]) -> Any:
    """TRL 1.12's configuration: its defaults, but for what all methods share."""
    from trl.experimental.ppo import PPOConfig

    return PPOConfig(
        **shared_settings(task, seed, output),
        total_episodes=task.completions,
        num_ppo_epochs=PASSES,
        response_length=task.length,
        stop_token="eos",
        local_rollout_forward_batch_size=task.rollout,
        num_sample_generations=0,
        **settings,
    )


def make_trainer(task: Task, seed: int, cache: Path, config: Any, watch: Watch) -> Any:
    """The trainer as in TRL 1.12's examples: a value model with weights of its own."""
    from datasets import Dataset
    from trl.experimental.ppo import PPOTrainer

    folder = model_folder(task.model, cache)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    prompts = tokenizer(prompts_of(task, seed, 1), padding=True).input_ids
    dataset = Dataset.from_dict({"input_ids": prompts})
    load = {"pretrained_model_name_or_path": folder, "dtype": torch.float32}
    return PPOTrainer(
        args=config,
        processing_class=tokenizer,
        model=AutoModelForCausalLM.from_pretrained(**load),
        ref_model=None if task.lora else AutoModelForCausalLM.from_pretrained(**load),
        reward_model=RewardModel(watch, tokenizer, len(prompts[0])),
        value_model=AutoModelForSequenceClassification.from_pretrained(**load, num_labels=1),
        train_dataset=dataset,
        eval_dataset=dataset,
        peft_config=lora_of(task),
    )


def main() -> None:
    order = json.loads(sys.argv[1])
    cache, seed = Path(order["cache"]), order["seed"]
    task = shortened(tasks(cache, order["smollm"])[order["task"]], order["completions"])
    set_seed(seed)
    watch = Watch(task)
    with tempfile.TemporaryDirectory() as output:
        trainer = make_trainer(task, seed, cache, make_config(task, seed, output, order["settings"]), watch)
        watch.start()
        trainer.train()
    print(json.dumps({"curve": watch.curve, "seconds": watch.seconds()}))


if __name__ == "__main__":
    main()
