"""Measures models on held-out rows by what the rows allow: loss, preference accuracy, and rewards of samples."""

import asyncio
import gc
import hashlib
import inspect
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from trl import extract_prompt, is_conversational

from .intervals import interval, sign_flip_test

Row = Mapping[str, object]
SIDES = ("chosen", "rejected")
LOWER_IS_BETTER = ("loss", "perplexity")
KEPT = {}  # what models were measured so far; several evaluations may have the same baseline


def evaluate(
    model: str,
    rows: Sequence[Row],
    baseline: str | None = None,
    rewards: Sequence[Callable] = (),
    limit: int | None = None,
    samples: int = 1,
    temperature: float = 1.0,
    max_completion_length: int = 128,
    max_length: int | None = 1024,
    batch_size: int = 8,
    seed: int = 42,
    load: Mapping[str, object] | None = None,
    baseline_load: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """What the model in a folder is worth on `rows`, with 95 % intervals, and how it differs from `baseline`.

    Rows with `completion`, `messages` or `text` give the loss per trained token, tokenized as TRL's SFTTrainer does,
    and the perplexity; rows with `chosen` and `rejected` the share of pairs whose chosen completion is more likely,
    and the margin of log-probabilities; with `rewards`, prompts are sampled from, and how often that gives more than
    `baseline` is the win rate; with pairs, also how often a reward prefers the chosen completion. Both models get the
    same seeds. A model that was measured before on these rows, with the same settings, is not loaded again.
    """
    rows = [dict(row) for row in rows][:limit]
    places = {"model": (model, load or {})} | ({"baseline": (baseline, baseline_load or {})} if baseline else {})
    found = {}
    for name, (place, options) in places.items():
        measured = Measured(place, batch_size, max_length, **options)
        found[name] = {**measured.once("of_rows", rows)}
        if rewards:
            seeds = range(seed, seed + samples)
            draws = [measured.once("sampled", rows, temperature, max_completion_length, number) for number in seeds]
            found[name] |= of_samples(rows, rewards, draws) | of_preferences(rows, rewards)
        del measured
        gc.collect()
    if baseline:
        add_win_rates(found["baseline"], found["model"])
    prompts = [row["prompt"] for row in rows] if rewards else []
    report = {"rows": len(rows), "rows_sha256": fingerprint(rows), "prompts": prompts, **found}
    return {**report, "difference": differences_of(found["baseline"], found["model"])} if baseline else report


def fingerprint(rows: Sequence[Row]) -> str:
    """The sha256 of the rows, by which reports of the same ones are told."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True, default=repr).encode()).hexdigest()


class Measured:
    """A model, loaded when it is needed, with the measures of rows. Rows of more than `max_length` tokens are cut."""

    def __init__(self, folder: str, batch_size: int = 8, max_length: int | None = None, **load: object) -> None:
        self.folder, self.batch_size, self.max_length, self.load = folder, batch_size, max_length, load

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer, which can pad."""
        tokenizer = AutoTokenizer.from_pretrained(self.folder, **self.load)
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        return tokenizer

    @cached_property
    def model(self) -> PreTrainedModel:
        """The weights, on the GPU if there is one."""
        device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
        model = AutoModelForCausalLM.from_pretrained(self.folder, **{"dtype": "float32", **self.load})
        return model.to(device).eval()

    def once(self, what: str, rows: Sequence[Row], *settings: float) -> object:
        """What the method called `what` gives, found once in this process for a model, rows, and settings."""
        model = (self.folder, repr(sorted(self.load.items())), self.batch_size, self.max_length)
        key = (*model, what, fingerprint(rows), *settings)
        if key not in KEPT:
            KEPT[key] = getattr(self, what)(rows, *settings)
        return KEPT[key]

    # Likelihoods

    def of_rows(self, rows: Sequence[Row]) -> dict[str, dict[str, object]]:
        """The measures that need no samples; those that fit the columns of the rows."""
        if "chosen" in rows[0] and "rejected" in rows[0]:
            return self.of_pairs(rows)
        if {"completion", "messages", "text"} & set(rows[0]):
            return self.of_texts(rows)
        return {}

    def of_texts(self, rows: Sequence[Row]) -> dict[str, dict[str, object]]:
        """Mean loss over all trained tokens in nats, and its exponential."""
        sums, counts = zip(*self.log_likelihoods([self.tokens(row) for row in rows]), strict=True)
        used = [i for i, count in enumerate(counts) if count]
        losses, weights = [-sums[i] / counts[i] for i in used], [counts[i] for i in used]
        loss = measure(losses, weights=weights)
        return {"loss": loss, "perplexity": {key: math.exp(loss[key]) for key in ("value", "low", "high")}}

    def of_pairs(self, rows: Sequence[Row]) -> dict[str, dict[str, object]]:
        """Share of pairs whose chosen completion has the higher log-probability, and the mean difference."""
        pairs = [row if "prompt" in row else extract_prompt(row) for row in rows]
        texts = {
            side: [self.tokens({"prompt": pair["prompt"], "completion": pair[side]}) for pair in pairs]
            for side in SIDES
        }
        chosen, rejected = ([total for total, _ in self.log_likelihoods(texts[side])] for side in SIDES)
        margins = [good - bad for good, bad in zip(chosen, rejected, strict=True)]
        wins = [float(margin > 0) for margin in margins]
        return {"preference_accuracy": measure(wins), "preference_margin": measure(margins)}

    def tokens(self, row: Row) -> tuple[list[int], int]:
        """The tokens of a row, and the number of those at its start that are only read."""
        if "completion" in row:
            prompt, both = self.rendered_pair(row["prompt"], row["completion"])
            start = next((i for i, (a, b) in enumerate(zip(prompt, both, strict=False)) if a != b), len(prompt))
            return both[: self.max_length], start
        if "messages" in row:
            return self.rendered(row["messages"])[: self.max_length], 0
        return self.tokenizer(self.ended(row["text"]))["input_ids"][: self.max_length], 0

    def rendered_pair(self, prompt: object, completion: object) -> tuple[list[int], list[int]]:
        """The tokens of a prompt, and of the prompt with its completion."""
        if isinstance(prompt, str):
            ids = self.tokenizer([prompt, self.ended(prompt + completion)])["input_ids"]
            return ids[0], ids[1]
        return self.rendered(prompt, add_generation_prompt=True), self.rendered(prompt + completion)

    def rendered(self, messages: list, **kwargs: object) -> list[int]:
        """A conversation through the chat template, as tokens."""
        return self.tokenizer.apply_chat_template(messages, return_dict=True, **kwargs)["input_ids"]

    def ended(self, text: str) -> str:
        """A text with the token that SFT trains at its end."""
        end = self.tokenizer.eos_token or ""
        return text if text.endswith(end) else text + end

    @torch.no_grad()
    def log_likelihoods(self, texts: Sequence[tuple[list[int], int]]) -> list[tuple[float, int]]:
        """Log-probability of the trained tokens of each text, in nats, and their number."""
        found: list[tuple[float, int]] = [(0.0, 0)] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i][0]))  # similar lengths share a batch
        for first in range(0, len(order), self.batch_size):
            batch = order[first : first + self.batch_size]
            for i, result in zip(batch, self.of_batch([texts[i] for i in batch]), strict=True):
                found[i] = result
        return found

    def of_batch(self, texts: Sequence[tuple[list[int], int]]) -> Iterator[tuple[float, int]]:
        """The same of one batch."""
        longest = max(len(ids) for ids, _ in texts)
        ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in texts])
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in texts])
        labels = ids.masked_fill(mask == 0, -100)
        for row, (_, start) in enumerate(texts):
            labels[row, :start] = -100
        ids, mask, labels = (part.to(self.model.device) for part in (ids, mask, labels))
        logits = self.model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        losses = cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none")
        counts = (labels[:, 1:] != -100).sum(1).tolist()
        yield from zip((-losses.double().sum(1)).tolist(), counts, strict=True)

    # Samples

    @torch.no_grad()
    def sampled(self, rows: Sequence[Row], temperature: float, length: int, seed: int) -> list[str]:
        """A completion of the prompt of each row; the most likely one at temperature 0."""
        found = []
        settings = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        with torch.random.fork_rng():
            for first in range(0, len(rows), self.batch_size):
                torch.manual_seed(seed + first)
                prompts = [self.prompt_text(row["prompt"]) for row in rows[first : first + self.batch_size]]
                is_plain = isinstance(rows[first]["prompt"], str)
                inputs = self.tokenizer(
                    prompts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=is_plain
                ).to(self.model.device)
                inputs.pop("token_type_ids", None)
                made = self.model.generate(
                    **inputs, max_new_tokens=length, pad_token_id=self.tokenizer.pad_token_id, top_k=0, **settings
                )
                new = made[:, inputs["input_ids"].shape[1] :]
                found += self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return found

    def prompt_text(self, prompt: object) -> str:
        """What is sampled from."""
        if isinstance(prompt, str):
            return prompt
        return self.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)


def of_samples(
    rows: Sequence[Row], rewards: Sequence[Callable], draws: Sequence[list[str]]
) -> dict[str, dict[str, object]]:
    """The mean of each reward over the completions of each prompt, one of each draw, and those of the first draw."""
    found = {}
    for reward in rewards:
        scores = [scored(reward, rows, completions) for completions in draws]
        means = [math.fsum(row) / len(draws) for row in zip(*scores, strict=True)]
        found[f"reward/{reward.__name__}"] = measure(means)
    return {**found, "completions": draws[0]}


def of_preferences(rows: Sequence[Row], rewards: Sequence[Callable]) -> dict[str, dict[str, object]]:
    """The share of pairs whose chosen completion gets the higher reward; equal ones count half."""
    if not set(SIDES) <= set(rows[0]):
        return {}
    found = {}
    for reward in rewards:
        chosen, rejected = (scored(reward, rows, [text_of_completion(row[side]) for row in rows]) for side in SIDES)
        pairs = zip(chosen, rejected, strict=True)
        wins = [float(good > bad) if good != bad else 0.5 for good, bad in pairs]
        found[f"reward_accuracy/{reward.__name__}"] = measure(wins)
    return found


def text_of_completion(completion: object) -> str:
    """A completion as text: of a conversation, that of its last message."""
    return completion if isinstance(completion, str) else completion[-1]["content"]


def scored(reward: Callable, rows: Sequence[Row], completions: list[str]) -> list[float]:
    """The rewards of one completion of each row, called as TRL calls them; a row without a reward counts as 0."""
    prompts = [row["prompt"] for row in rows]
    if is_conversational({"prompt": prompts[0]}):
        completions = [[{"role": "assistant", "content": text}] for text in completions]
    columns = {name: [row[name] for row in rows] for name in rows[0] if name not in ("prompt", "completion")}
    scores = reward(prompts=prompts, completions=completions, **columns)
    if inspect.isawaitable(scores):
        scores = asyncio.run(_awaited(scores))
    return [0.0 if score is None or math.isnan(score) else float(score) for score in scores]


async def _awaited(scores: object) -> list[float]:
    return await scores


# Values and differences


def measure(values: Sequence[float], weights: Sequence[float] | None = None) -> dict[str, object]:
    """The mean of `values` with its interval, and the values of the rows, by which models are compared."""
    return {**interval(values, weights), "per_row": list(values), **({"weights": list(weights)} if weights else {})}


def add_win_rates(before: dict[str, Mapping], after: dict[str, Mapping]) -> None:
    """Add the share of prompts on which `after` has the higher mean reward; a tie counts half, and `before` is 0.5."""
    for name in [name for name in after if name.startswith("reward/")]:
        pairs = zip(before[name]["per_row"], after[name]["per_row"], strict=True)
        wins = [float(new > old) if new != old else 0.5 for old, new in pairs]
        rate = name.replace("reward/", "win_rate/", 1)
        before[rate], after[rate] = measure([0.5] * len(wins)), measure(wins)


def differences_of(before: Mapping[str, Mapping], after: Mapping[str, Mapping]) -> dict[str, dict[str, object]]:
    """`after` minus `before`, row by row, with interval and p-value, for the measures of the same rows."""
    found = {}
    for name, new in after.items():
        old = before.get(name)
        if not isinstance(new, Mapping) or "per_row" not in new or old is None:
            continue
        if len(old["per_row"]) != len(new["per_row"]) or old.get("weights") != new.get("weights"):
            continue  # other tokens, so the rows cannot be paired
        differences = [b - a for a, b in zip(old["per_row"], new["per_row"], strict=True)]
        better = "lower" if name in LOWER_IS_BETTER else "higher"
        p_value = sign_flip_test(differences)
        found[name] = {**interval(differences, new.get("weights")), "p_value": p_value, "better": better}
    return found
