"""What each stage is supposed to improve, measured on held-out rows of a saved model.

Every measure returns one value per row, so that two models can be compared row by row: the standard error of
the paired difference says whether a change is more than chance.

A model is loaded once by `HeldOut(folder)`, then asked for as many measures as needed. Sampling draws from a
generator of its own: the process's random state is neither read nor changed, and two models that are
measured with the same seed are given the same random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
RewardFunction = Callable[..., Sequence[float]]


@dataclass(frozen=True)
class Comparison:
    """Two means over the same rows; `standard_error` belongs to the paired `difference` (after - before)."""

    before_mean: float
    after_mean: float
    difference: float
    standard_error: float

    @property
    def ratio(self) -> float:
        """The difference in standard errors; beyond 2 (or -2) it is hardly chance."""
        if self.standard_error == 0.0:
            return math.copysign(math.inf, self.difference) if self.difference else 0.0
        return self.difference / self.standard_error


def compare(before: Sequence[float], after: Sequence[float]) -> Comparison:
    """Compare two models' values on the same rows: at least two, equally many, else ValueError."""
    if len(before) != len(after) or len(before) < 2:
        raise ValueError(f"need at least two rows and equal counts, got {len(before)} and {len(after)}")
    differences = [b - a for a, b in zip(before, after, strict=True)]
    count = len(differences)
    mean = math.fsum(differences) / count
    variance = math.fsum((d - mean) ** 2 for d in differences) / (count - 1)
    return Comparison(math.fsum(before) / count, math.fsum(after) / count, mean, math.sqrt(variance / count))


@dataclass(frozen=True)
class Samples:
    """What a model answered to held-out prompts, and what the reward function gave for it."""

    completions: list[str]
    rewards: list[float]


class HeldOut:
    """A model and tokenizer loaded from a folder, with the measures of the four stages."""

    def __init__(self, folder: Path | str, batch_size: int = 32) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.batch_size = batch_size
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def losses(self, rows: Sequence[Row]) -> list[float]:
        """SFT's objective: a row's mean negative log-likelihood of its completion tokens, in nats per token."""
        pairs = [_token_ids(self.tokenizer, row["prompt"], row["completion"]) for row in rows]
        return [-value for value in self._mean_logps(pairs)]

    def margins(self, rows: Sequence[Row]) -> list[float]:
        """Mean log-probability per token of `chosen` minus that of `rejected`, for each preference pair.

        The mean, not the sum: a sum would prefer the shorter answer whatever the model has learned.
        """
        chosen = [_token_ids(self.tokenizer, row["prompt"], row["chosen"]) for row in rows]
        rejected = [_token_ids(self.tokenizer, row["prompt"], row["rejected"]) for row in rows]
        values = self._mean_logps(chosen + rejected)
        return [c - r for c, r in zip(values[: len(rows)], values[len(rows) :], strict=True)]

    def preferences(self, rows: Sequence[Row]) -> list[float]:
        """DPO's objective: 1.0 where the chosen answer is more likely per token than the rejected one, else 0.0.

        This is the preference accuracy per row, by `margins`. The implicit reward relative to the reference
        model is not used: before training it is zero for every pair, so there would be nothing to compare.
        """
        return [float(margin > 0) for margin in self.margins(rows)]

    def rewards(
        self,
        rows: Sequence[Row],
        reward: RewardFunction,
        max_new_tokens: int,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> Samples:
        """PPO's and GRPO's objective: the unshaped reward of one sampled completion per row."""
        texts: list[str] = []
        for start in range(0, len(rows), self.batch_size):
            prompts = [row["prompt"] for row in rows[start : start + self.batch_size]]
            texts += self._sample(prompts, max_new_tokens, temperature, seed + start)
        answers = [_like(row["prompt"], text) for row, text in zip(rows, texts, strict=True)]
        columns = {key: [row[key] for row in rows] for key in rows[0] if key != "prompt"}
        prompts = [row["prompt"] for row in rows]
        values = reward(completions=answers, prompts=prompts, **columns)
        return Samples(texts, [float(value) for value in values])

    def _mean_logps(self, pairs: Sequence[tuple[list[int], list[int]]]) -> list[float]:
        """Mean log-probability of each completion's tokens; rows of similar length share a batch."""
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
        values = [0.0] * len(pairs)
        step = max(1, self.batch_size // 2)
        for start in range(0, len(order), step):
            chunk = order[start : start + step]
            for i, value in zip(chunk, _batch_mean_logps(self.model, [pairs[i] for i in chunk]), strict=True):
                values[i] = value
        return values

    def _sample(self, prompts: Sequence[Any], max_new_tokens: int, temperature: float, seed: int) -> list[str]:
        """One sampled completion per prompt, as text without special tokens."""
        ids = [_prompt_ids(self.tokenizer, prompt) for prompt in prompts]
        sampled = _sample_ids(self.model, ids, self.tokenizer.eos_token_id, max_new_tokens, temperature, seed)
        return self.tokenizer.batch_decode(sampled, skip_special_tokens=True)


def _prompt_ids(tokenizer: Any, prompt: Any) -> list[int]:
    """Token ids of a plain prompt, or of a conversation up to where the assistant begins."""
    if isinstance(prompt, str):
        return tokenizer(prompt)["input_ids"]
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _token_ids(tokenizer: Any, prompt: Any, completion: Any) -> tuple[list[int], list[int]]:
    """Token ids of the prompt and of the completion with its end, as the trainers cut them."""
    first = _prompt_ids(tokenizer, prompt)
    if isinstance(prompt, str):
        full = tokenizer(prompt + completion)["input_ids"] + [tokenizer.eos_token_id]
    else:
        text = tokenizer.apply_chat_template(prompt + completion, tokenize=False)
        full = tokenizer(text, add_special_tokens=False)["input_ids"]
    return first, full[len(first) :]


def _batch_mean_logps(model: Any, pairs: Sequence[tuple[list[int], list[int]]]) -> list[float]:
    """Right-padded forward pass; with causal attention the padding after a row cannot change its values."""
    import torch

    rows = [torch.tensor(first + second) for first, second in pairs]
    longest = max(len(row) for row in rows)
    keep = longest - min(len(first) for first, _ in pairs) + 1
    ids = torch.stack([torch.nn.functional.pad(row, (0, longest - len(row))) for row in rows])
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=keep).logits
    offset = longest - logits.size(1)
    values = []
    for i, (first, second) in enumerate(pairs):
        begin = len(first) - 1 - offset
        logps = logits[i, begin : begin + len(second)].float().log_softmax(-1)
        values.append(logps.gather(-1, torch.tensor(second).unsqueeze(-1)).mean().item())
    return values


def _sample_ids(
    model: Any, prompts: Sequence[list[int]], eos: int, max_new_tokens: int, temperature: float, seed: int
) -> list[list[int]]:
    """Sample with a private generator, one token per step for all (left-padded) prompts that have not ended.

    A row's random numbers depend on its place alone, not on which others have ended.
    """
    import torch

    longest = max(len(ids) for ids in prompts)
    ids = torch.tensor([[eos] * (longest - len(row)) + row for row in prompts])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in prompts])
    position = (mask.cumsum(1) - 1).clamp(min=0)
    generator = torch.Generator().manual_seed(seed)
    sampled: list[list[int]] = [[] for _ in prompts]
    going, cache = torch.arange(len(prompts)), None
    for _ in range(max_new_tokens):
        logits, cache = _next_logits(model, ids, mask, position, cache)
        noise = torch.empty(len(prompts), logits.size(-1)).exponential_(generator=generator)
        chosen = ((logits / temperature).softmax(-1) / noise[going]).argmax(-1)
        for row, token in zip(going.tolist(), chosen.tolist(), strict=True):
            sampled[row].append(token)
        stay = torch.nonzero(chosen != eos).squeeze(1)
        if not len(stay):
            break
        if len(stay) < len(going):
            cache.batch_select_indices(stay)
        going, ids = going[stay], chosen[stay].unsqueeze(1)
        mask = torch.cat([mask[stay], mask.new_ones(len(stay), 1)], 1)
        position = mask.sum(1, keepdim=True) - 1
    return [_until(row, eos) for row in sampled]


def _next_logits(model: Any, ids: Any, mask: Any, position: Any, cache: Any) -> tuple[Any, Any]:
    """The logits of the next token of each row, (B, V) in float32, and the cache with these tokens."""
    import torch

    with torch.no_grad():
        out = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    return out.logits[:, -1].float(), out.past_key_values


def _until(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end)] if end in ids else ids


def _like(prompt: Any, text: str) -> Any:
    """The completion in the shape that trainers hand to reward functions: text, or a list of one message."""
    return text if isinstance(prompt, str) else [{"role": "assistant", "content": text}]
