"""What Evaluate measures, against independent computations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import flows
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from ryven_llm_nodes.runtime import evaluation
from ryven_llm_nodes.runtime.evaluation import Measured, add_win_rates, differences_of, evaluate, scored

TEXTS = [{"text": f"{q} answer {i}" * (1 + i % 3)} for i, q in enumerate(flows.QUESTIONS)]
PAIRS = [{"prompt": q, "completion": f" answer {i}"} for i, q in enumerate(flows.QUESTIONS)]

FEW = PAIRS[:6]


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


CHATS = [{"prompt": [said("user", q)], "completion": [said("assistant", f"answer {q}")]} for q in flows.QUESTIONS]
MESSAGES = [{"messages": row["prompt"] + row["completion"]} for row in CHATS]


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Each test measures itself."""
    evaluation.KEPT.clear()


def variety(completions: list[str], **kwargs: Any) -> list[float]:
    return [len(set(text)) / max(len(text), 1) for text in completions]


def len_of(completions: list[str], **kwargs: Any) -> list[float]:
    return [1.0 + len(text) for text in completions]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another model with the same tokenizer."""
    folder = tmp_path_factory.mktemp("other") / "model"
    flows.write_model(folder, seed=3)
    return str(folder)


@pytest.mark.parametrize("rows", [TEXTS, PAIRS, CHATS, MESSAGES], ids=["text", "pairs", "chats", "messages"])
def test_the_loss_is_that_of_trl_and_transformers(rows: list[dict[str, Any]], workspace: Path, tmp_path: Path) -> None:
    """TRL makes tokens and labels, transformers the loss; batches of one, weighted by their tokens."""
    from datasets import Dataset

    found = evaluate(str(workspace / "model"), rows, batch_size=5)["model"]
    args = SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none")
    trainer = SFTTrainer(str(workspace / "model"), args=args, train_dataset=Dataset.from_list(rows))
    total = count = 0.0
    for example in trainer.train_dataset:
        batch = trainer.data_collator([example])
        tokens = (batch["labels"][:, 1:] != -100).sum().item()
        with torch.no_grad():
            total += trainer.model(**batch).loss.item() * tokens
        count += tokens
    assert found["loss"]["value"] == pytest.approx(total / count, rel=1e-5)
    assert found["perplexity"]["value"] == pytest.approx(math.exp(total / count), rel=1e-4)
    assert found["loss"]["low"] < found["loss"]["value"] < found["loss"]["high"]


def test_preferences_by_hand(workspace: Path) -> None:
    rows = [{"prompt": q, "chosen": f" yes {i}", "rejected": " no no"} for i, q in enumerate(flows.QUESTIONS)]
    found = evaluate(str(workspace / "model"), rows)["model"]
    model = AutoModelForCausalLM.from_pretrained(workspace / "model")
    tokenizer = AutoTokenizer.from_pretrained(workspace / "model")

    def log_probability(prompt: str, completion: str) -> float:
        ids = tokenizer(prompt + completion + "<eos>", return_tensors="pt")["input_ids"]
        start = len(tokenizer(prompt)["input_ids"])
        with torch.no_grad():
            logps = model(ids).logits[0, :-1].log_softmax(-1)
        return sum(logps[i - 1, ids[0, i]].item() for i in range(start, ids.shape[1]))

    margins = [log_probability(r["prompt"], r["chosen"]) - log_probability(r["prompt"], r["rejected"]) for r in rows]
    assert found["preference_margin"]["per_row"] == pytest.approx(margins, abs=1e-4)
    assert found["preference_accuracy"]["value"] == pytest.approx(sum(m > 0 for m in margins) / len(margins))


def test_pairs_with_an_implicit_prompt_are_those_with_an_explicit_one(workspace: Path) -> None:
    explicit = [{"prompt": q, "chosen": " yes", "rejected": " no no"} for q in flows.QUESTIONS]
    implicit = [{side: row["prompt"] + row[side] for side in ("chosen", "rejected")} for row in explicit]
    first, second = (evaluate(str(workspace / "model"), rows)["model"] for rows in (explicit, implicit))
    assert first["preference_margin"]["value"] == pytest.approx(second["preference_margin"]["value"], abs=1e-4)


@pytest.mark.parametrize("rows", [PAIRS, CHATS], ids=["plain", "chats"])
def test_rewards_are_called_as_trl_calls_them(rows: list[dict[str, Any]], workspace: Path) -> None:
    seen: list[Any] = []

    def length(prompts: list[Any], completions: list[Any], tag: list[str], **kwargs: Any) -> list[float]:
        seen.append((prompts, completions, tag))
        texts = [one if isinstance(one, str) else one[0]["content"] for one in completions]
        return [float(len(text)) for text in texts]

    rows = [{**row, "tag": str(i)} for i, row in enumerate(rows)]
    found = evaluate(str(workspace / "model"), rows, rewards=[length], max_completion_length=6)["model"]
    (prompts, completions, tags) = seen[0]
    assert prompts == [row["prompt"] for row in rows]
    assert tags == [row["tag"] for row in rows]
    assert isinstance(completions[0], type(rows[0]["prompt"]))
    assert found["reward/length"]["per_row"] == [float(len(text)) for text in found["completions"]]


def test_samples_depend_on_the_seed_alone(workspace: Path) -> None:
    model = Measured(str(workspace / "model"), batch_size=4)
    torch.manual_seed(0)
    first = model.sampled(PAIRS, 1.0, 8, seed=1)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert model.sampled(PAIRS, 1.0, 8, seed=1) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert model.sampled(PAIRS, 1.0, 8, seed=2) != first
    assert model.sampled(PAIRS, 0.0, 8, seed=1) == model.sampled(PAIRS, 0.0, 8, seed=2)


def test_a_prompt_in_a_batch_is_sampled_as_alone(workspace: Path) -> None:
    """Padding on the left changes nothing: the most likely tokens are the same."""
    rows = [{"prompt": "what is 1" * (1 + 3 * (i % 2))} for i in range(4)]
    alone, batched = (Measured(str(workspace / "model"), batch_size=size).sampled(rows, 0.0, 8, 0) for size in (1, 4))
    assert alone == batched


def test_several_samples_are_averaged_by_prompt(workspace: Path) -> None:
    values = iter([[0.0] * 16, [1.0] * 16])

    def reward(completions: list[str], **kwargs: Any) -> list[float]:
        return next(values)

    found = evaluate(str(workspace / "model"), PAIRS, rewards=[reward], samples=2, max_completion_length=2)
    assert found["model"]["reward/reward"]["per_row"] == [0.5] * 16


def test_the_win_rate_is_the_share_of_prompts_with_more_reward_and_ties_count_half() -> None:
    rewards = {"before": [0.0, 0.5, 1.0, 0.3], "after": [1.0, 0.5, 0.0, 0.4]}
    before, after = ({"reward/a": {"per_row": rewards[name]}, "completions": []} for name in ("before", "after"))
    add_win_rates(before, after)
    assert after["win_rate/a"]["per_row"] == [1.0, 0.5, 0.0, 1.0]
    assert after["win_rate/a"]["value"] == 0.625
    assert before["win_rate/a"]["value"] == 0.5
    assert differences_of(before, after)["win_rate/a"]["value"] == 0.125


def test_a_model_wins_half_of_the_time_against_itself(workspace: Path) -> None:
    model = str(workspace / "model")

    def length(completions: list[str], **kwargs: Any) -> list[float]:
        return [float(len(text)) for text in completions]

    found = evaluate(model, PAIRS, baseline=model, rewards=[length], max_completion_length=4)
    assert (found["model"]["win_rate/length"]["value"], found["difference"]["win_rate/length"]["p_value"]) == (0.5, 1.0)


async def later(completions: list[str], **kwargs: Any) -> list[float | None]:
    return [1.0, None]


def test_a_reward_may_be_asynchronous_and_a_row_without_one_counts_as_0() -> None:
    rows = [{"prompt": "a"}, {"prompt": "b"}]
    assert scored(later, rows, ["x", "y"]) == [1.0, 0.0]


def test_a_baseline_is_compared_row_by_row(workspace: Path, other: str) -> None:
    found = evaluate(other, PAIRS, baseline=str(workspace / "model"))
    losses = [found[name]["loss"] for name in ("model", "baseline")]
    assert found["difference"]["loss"]["value"] == pytest.approx(losses[0]["value"] - losses[1]["value"])
    assert found["difference"]["loss"]["better"] == "lower"
    same = evaluate(other, PAIRS, baseline=other)["difference"]["loss"]
    assert (same["value"], same["p_value"]) == (0.0, 1.0)


def test_a_baseline_is_measured_once_and_its_measures_are_those_of_the_first_time(
    workspace: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the rewards differ: completions are scored again, not sampled again."""
    model = str(workspace / "model")
    settings: dict[str, Any] = {"rewards": [variety], "samples": 2, "max_completion_length": 3}
    first = evaluate(model, FEW, **settings)["model"]
    fresh = evaluate(other, FEW, **settings)["model"]
    evaluation.KEPT.clear()
    loaded: list[str] = []
    load = AutoModelForCausalLM.from_pretrained
    monkeypatch.setattr(
        AutoModelForCausalLM, "from_pretrained", lambda place, **options: loaded.append(place) or load(place, **options)
    )
    evaluate(model, FEW, **settings)
    found = evaluate(other, FEW, baseline=model, **settings)
    assert loaded == [model, other]
    assert {name: found["baseline"][name] for name in first} == first
    assert {name: found["model"][name] for name in fresh} == fresh
    again = evaluate(other, FEW, baseline=model, **(settings | {"rewards": [variety, len_of]}))
    assert loaded == [model, other]
    assert again["baseline"]["completions"] == first["completions"]
    assert again["baseline"]["reward/len_of"]["per_row"] != first["reward/variety"]["per_row"]
    for changed in ({"seed": 1}, {"temperature": 0.5}, {"max_completion_length": 2}, {"max_length": 6}, {"limit": 5}):
        loaded.clear()
        evaluate(model, FEW, **(settings | changed))
        assert loaded == [model], changed


def test_models_with_other_tokens_are_not_compared() -> None:
    one, two = ({"loss": {"per_row": [1.0, 2.0], "weights": weights}} for weights in ([3, 4], [3, 5]))
    assert differences_of(one, two) == {}


def test_rows_are_limited_and_cut(workspace: Path) -> None:
    found = evaluate(str(workspace / "model"), PAIRS, limit=4, max_length=5)
    assert found["rows"] == 4
    assert found["model"]["loss"]["weights"] == [2, 2, 2, 2]


def test_how_often_a_reward_prefers_the_chosen_completion(workspace: Path) -> None:
    """Of four pairs a reward of the length prefers the chosen one twice, and one is equal."""
    rows = [
        {"prompt": "a", "chosen": "long text", "rejected": "no"},
        {"prompt": "b", "chosen": "longer text", "rejected": "no"},
        {"prompt": "c", "chosen": "no", "rejected": "long text"},
        {"prompt": "d", "chosen": "ab", "rejected": "cd"},
    ]

    def length(completions: list[str], **kwargs: Any) -> list[float]:
        return [float(len(text)) for text in completions]

    found = evaluate(str(workspace / "model"), rows, rewards=[length], max_completion_length=2)
    assert found["model"]["reward_accuracy/length"]["value"] == 2.5 / 4
    assert found["model"]["reward_accuracy/length"]["per_row"] == [1, 1, 0, 0.5]
