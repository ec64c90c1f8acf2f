"""Rollout Function: a Python function of the user's that samples the completions of GRPO."""

from __future__ import annotations

from typing import Final

from ryven_llm_nodes.catalogue.function_node import ArgumentNode
from ryven_llm_nodes.catalogue.node import Port
from ryven_llm_nodes.catalogue.parameters import text

SAMPLED: Final = '''import torch
from trl.models import unwrap_model_for_generation


def rollout(prompts, trainer):
    """Samples one completion per prompt from the policy, one prompt after the other."""
    tokenizer, device = trainer.processing_class, trainer.accelerator.device
    stops = {tokenizer.eos_token_id, tokenizer.pad_token_id}
    prompt_ids, completion_ids = [], []
    with torch.no_grad(), unwrap_model_for_generation(trainer.model_wrapped, trainer.accelerator) as model:
        for prompt in prompts:
            if isinstance(prompt, str):
                ids = tokenizer(prompt)["input_ids"]
            else:
                ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
            batch = torch.tensor([ids], device=device)
            made = model.generate(
                input_ids=batch, attention_mask=torch.ones_like(batch), generation_config=trainer.generation_config
            )[0, len(ids) :].tolist()
            end = next((place for place, token in enumerate(made) if token in stops), len(made) - 1)
            prompt_ids.append(ids)
            completion_ids.append(made[: end + 1])
    return {"prompt_ids": prompt_ids, "completion_ids": completion_ids, "logprobs": None}
'''


class RolloutFunction(ArgumentNode):
    """Completions that your own Python function samples: TRL's ``rollout_func``, for episodes of several turns.

    The function gets the ``prompts`` of this process, each as often as it needs completions, and the ``trainer``, and
    returns a dictionary of lists with an entry per prompt: ``prompt_ids``, ``completion_ids`` and ``logprobs`` (None
    where no vLLM samples), optionally ``env_mask`` (1 for tokens of the model, 0 for what an environment said). All
    other keys go to the rewards by name. vLLM is not needed. Experimental in TRL: it may change or be removed there.
    """

    title = "Rollout Function"
    stem = "rollout"
    position = 3
    accent = "tools"
    tags = ["rollout", "rollout_func", "episode", "multi-turn", "agent", "environment", "function", "python", "code"]
    argument = "rollout_func"
    called_with = ("the prompts", "the trainer")
    out_ports = (Port("rollout", "rollout"),)
    parameters = (
        text("code", SAMPLED, "Python that defines the function, with its imports and helpers.", widget="code"),
        text("function", "", "Name of the function to use; empty: the last one that the code defines."),
    )
