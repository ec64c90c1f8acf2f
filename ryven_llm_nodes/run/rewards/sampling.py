"""Samples completions from the model that a trainer starts from, as that trainer would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.configs import completion_setting, configuration
from ryven_llm_nodes.run.examine.prepared import prompt_ids, template_kwargs
from ryven_llm_nodes.run.loaded import LoadedProgram

Answer = tuple[Any, tuple[int, ...]]
"""A completion, of the same kind as its prompt, and its tokens."""


@dataclass(frozen=True)
class Sampled:
    """Completions for every prompt; ``source`` names the model."""

    answers: tuple[tuple[Answer, ...], ...]
    source: str


def sampled(
    program: Program, loaded: LoadedProgram, trainer: Step, rows: Sequence[Any], samples: int, tokens: int, seed: int
) -> Sampled:
    """``samples`` completions of at most ``tokens`` tokens for the prompt of each row.

    The model is the one that the chain of ``trainer`` starts from: those before it may not have been trained yet.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    *_, base = program.graph.lineage(trainer)
    if base.node.is_stage:
        raise UsageError(f"{base.label} has made no model yet; give --completions, or run the flow and load its model.")
    value: Any = program.cells[base.name].values["model"]
    place, where = loaded.evaluated(value.expression), {"trust_remote_code": value.trust_remote_code}
    revision = {"revision": value.revision} if value.revision else {}
    tokenizer = AutoTokenizer.from_pretrained(place, **where, **revision)
    model = AutoModelForCausalLM.from_pretrained(place, **{"dtype": "float32", **value.init_kwargs}, **where).eval()
    options = {name: trainer.setting(name) for name in ("temperature", "top_p") if trainer.setting(name) is not None}
    kwargs = template_kwargs(configuration(program, loaded, trainer))
    answers = []
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for row in rows:
            ids = torch.tensor([prompt_ids(tokenizer, row["prompt"], kwargs)])
            made = model.generate(
                ids.repeat(samples, 1),
                attention_mask=torch.ones(samples, ids.shape[1], dtype=torch.long),
                do_sample=True,
                max_new_tokens=min(tokens, completion_setting(trainer)[1] or tokens),
                pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
                **options,
            )
            answers.append(tuple(_answer(tokenizer, row["prompt"], one[ids.shape[1] :]) for one in made))
    return Sampled(tuple(answers), f"{base.label}, {samples} sample{'s' * (samples != 1)} per prompt")


def _answer(tokenizer: Any, prompt: Any, ids: Any) -> Answer:
    """The text of the tokens up to the end token, and those tokens."""
    kept: list[int] = []
    for token in ids.tolist():
        kept.append(token)
        if token == tokenizer.eos_token_id:
            break
    text = tokenizer.decode(kept, skip_special_tokens=True)
    return ([{"role": "assistant", "content": text}] if isinstance(prompt, list) else text), tuple(kept)
