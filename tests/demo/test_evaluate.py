"""Held-out measures, checked against plain one-row evaluation of a tiny model."""

from __future__ import annotations

import math

import pytest

from ryven_llm_nodes.demo.evaluate import Comparison, HeldOut, compare


def _user(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def _answer(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


ROWS = [
    {"prompt": _user("What does it do?"), "completion": _answer("Return the name.")},
    {"prompt": _user("What?"), "completion": _answer("a list of file names")},
    {"prompt": _user("What is it that it does ?"), "completion": _answer("Return")},
]
PAIRS = [
    {
        "prompt": _user("What does it do?"),
        "chosen": _answer("Return"),
        "rejected": _answer("a list of file names"),
    },
    {"prompt": _user("it?"), "chosen": _answer("a list of file names"), "rejected": _answer("Return")},
]


@pytest.fixture(scope="module")
def held_out(tiny_model) -> HeldOut:
    return HeldOut(tiny_model, batch_size=2)


def _plain_loss(held_out: HeldOut, prompt: list[dict], completion: list[dict]) -> float:
    """One row, no batch, no padding, all logits."""
    import torch

    tokenizer = held_out.tokenizer
    opening = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    first = tokenizer(opening)["input_ids"]
    whole = tokenizer(tokenizer.apply_chat_template(prompt + completion, tokenize=False))["input_ids"]
    with torch.no_grad():
        logps = held_out.model(torch.tensor([whole])).logits[0].log_softmax(-1)
    picked = [logps[i - 1, whole[i]].item() for i in range(len(first), len(whole))]
    assert whole[: len(first)] == first
    assert whole[-1] == tokenizer.eos_token_id
    return -sum(picked) / len(picked)


def test_losses_equal_those_of_single_rows(held_out):
    expected = [_plain_loss(held_out, row["prompt"], row["completion"]) for row in ROWS]
    assert held_out.losses(ROWS) == pytest.approx(expected, abs=1e-5)


def test_margins_and_preferences_are_by_the_mean_a_token(held_out):
    chosen = [_plain_loss(held_out, row["prompt"], row["chosen"]) for row in PAIRS]
    rejected = [_plain_loss(held_out, row["prompt"], row["rejected"]) for row in PAIRS]
    expected = [r - c for c, r in zip(chosen, rejected, strict=True)]
    assert held_out.margins(PAIRS) == pytest.approx(expected, abs=1e-5)
    assert held_out.preferences(PAIRS) == [float(margin > 0) for margin in expected]


def test_plain_rows_are_measured_too(held_out):
    row = {"prompt": "What does it do? ", "completion": "Return the name."}
    assert 0 < held_out.losses([row])[0] < 10


def test_sampling_is_repeatable_and_leaves_the_random_state_alone(held_out):
    import torch

    def reward(completions, **kwargs):
        return [float(len(completion[-1]["content"])) for completion in completions]

    before = torch.get_rng_state()
    first = held_out.rewards(ROWS, reward, max_new_tokens=6)
    assert torch.equal(torch.get_rng_state(), before)
    assert held_out.rewards(ROWS, reward, max_new_tokens=6) == first
    assert held_out.rewards(ROWS, reward, max_new_tokens=6, seed=1).completions != first.completions
    assert first.rewards == [float(len(text)) for text in first.completions]


def test_reward_functions_are_given_prompts_and_columns(held_out):
    seen: dict = {}

    def reward(completions, **kwargs):
        seen.update(kwargs)
        return [0.5] * len(completions)

    rows = [{"prompt": row["prompt"], "topic": str(i)} for i, row in enumerate(ROWS)]
    held_out.rewards(rows, reward, max_new_tokens=2)
    assert seen["topic"] == ["0", "1", "2"]
    assert seen["prompts"] == [row["prompt"] for row in rows]


def test_a_cold_sample_is_the_greedy_answer_whatever_the_padding(held_out):
    """Left padding must not change a row: compare with transformers' own unpadded greedy search."""
    import torch

    def nothing(completions, **_):
        return [0.0] * len(completions)

    tokenizer, model = held_out.tokenizer, held_out.model
    texts = held_out.rewards(ROWS, nothing, 5, temperature=1e-4).completions
    for row, text in zip(ROWS, texts, strict=True):
        prompt = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([tokenizer(prompt)["input_ids"]])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False)
        assert tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True) == text


def test_a_comparison_is_paired():
    result = compare([1.0, 2.0, 3.0], [2.0, 3.0, 5.0])
    assert (result.before_mean, result.after_mean) == (2.0, pytest.approx(10 / 3))
    assert result.difference == pytest.approx(4 / 3)
    assert result.standard_error == pytest.approx(math.sqrt((1 / 3) / 3))  # differences 1, 1, 2: variance 1/3
    assert result.ratio == pytest.approx(4.0)


def test_an_equal_change_everywhere_has_no_error():
    assert compare([1.0, 2.0], [2.0, 3.0]).ratio == math.inf
    assert compare([1.0, 2.0], [0.0, 1.0]).ratio == -math.inf
    assert compare([1.0, 2.0], [1.0, 2.0]) == Comparison(1.5, 1.5, 0.0, 0.0)
    assert compare([1.0, 2.0], [1.0, 2.0]).ratio == 0.0


@pytest.mark.parametrize(("before", "after"), [([1.0], [1.0]), ([1.0, 2.0], [1.0])])
def test_rows_must_match_and_be_two_or_more(before, after):
    with pytest.raises(ValueError, match="at least two rows"):
        compare(before, after)
