"""What is wrong with a reward model is found before the first stage trains, and is said of its node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node
from refusals import Run, refused

from ryven_llm_nodes.catalogue import GRPO, PPO, SFT, LoadDataset, RewardModel


def scorer(folder: Path, template: str | None = flows.CHAT_TEMPLATE, weight: float = 0.1, **config: Any) -> Path:
    """A GPT-2 of one layer that scores, in ``folder``."""
    import torch
    from transformers import GPT2Config, GPT2ForSequenceClassification

    tokenizer = flows.make_tokenizer()
    tokenizer.chat_template = template
    sizes = {"vocab_size": len(tokenizer), "n_embd": 32, "n_layer": 1, "n_head": 4, "num_labels": 1, "pad_token_id": 0}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = GPT2ForSequenceClassification(GPT2Config(**{**sizes, **config}))
        model.score.weight.data = torch.randn_like(model.score.weight) * weight
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def drawn(folder: Path, rows: str = "grpo", **params: Any) -> flows.Project:
    """SFT, then GRPO with the reward model in ``folder``."""
    return flows.draw(
        "base -> sft, texts -> sft, sft -> grpo, rows -> grpo, judge -> grpo",
        base=flows.BASE,
        texts=flows.ROWS["sft"],
        rows=flows.ROWS[rows],
        judge=node(RewardModel, path=str(folder), **params),
        sft=node(SFT, **flows.FAST),
        grpo=node(GRPO, **flows.ROLLOUT, num_generations=4, reward_threshold=None),
    )


def test_conversations_need_a_template_of_the_reward_model(run: Run, tmp_path: Path) -> None:
    (problem,) = refused(run, drawn(scorer(tmp_path / "m", template=None)))
    assert problem.startswith("Reward Model 'judge' > path: the prompts of GRPO 'grpo' are conversations, but ")
    assert problem.endswith("has no chat template; use a reward model that has one, or plain-text prompts.")


def test_plain_text_needs_none(run: Run, tmp_path: Path) -> None:
    outcome, _ = run(drawn(scorer(tmp_path / "m", template=None), "ppo"))
    assert outcome.error is None
    first = json.loads((tmp_path / "out/grpo/metrics.jsonl").read_text().splitlines()[0])
    assert first["reward"] != 0


@pytest.mark.filterwarnings("error:.*lose their beginning")
def test_too_few_positions_are_told_in_numbers(run: Run, tmp_path: Path) -> None:
    (problem,) = refused(run, drawn(scorer(tmp_path / "m", n_positions=12)))
    assert problem.startswith("Reward Model 'judge' > max_length: has positions for 12 tokens, but the longest prompt ")
    assert "and a completion up to 8 (max_completion_length). Shorten these, or set max_length to 12 here" in problem


def test_texts_are_cut_where_that_was_chosen(run: Run, tmp_path: Path) -> None:
    outcome, _ = run(drawn(scorer(tmp_path / "m", n_positions=12), max_length=12))
    assert outcome.error is None


def test_a_head_that_is_missing_is_not_drawn_at_random(run: Run, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = scorer(tmp_path / "m") / "model.safetensors"
    weights = load_file(file)
    del weights["score.weight"]
    save_file(weights, file, {"format": "pt"})
    (problem,) = refused(run, drawn(tmp_path / "m"))
    assert problem.startswith("Reward Model 'judge' > path: cannot score the prompts of GRPO 'grpo': ValueError: ")
    assert problem.endswith("has no score.weight: it was not trained as a reward model.")


def test_a_language_model_is_called_one(run: Run, workspace: Path) -> None:
    assert refused(run, drawn(workspace / "model")) == [
        "Reward Model 'judge' > path: is a language model (LlamaForCausalLM), with no head that scores; give a "
        "sequence classifier with one label."
    ]


def test_a_tokenizer_that_cannot_pad(run: Run, tmp_path: Path) -> None:
    folder = scorer(tmp_path / "m")
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    file.write_text(
        json.dumps({name: value for name, value in config.items() if name not in ("pad_token", "eos_token")})
    )
    (problem,) = refused(run, drawn(folder, "ppo"))
    assert "has no padding token: set its pad_token and save it." in problem


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_scores_have_to_be_numbers(weight: float, run: Run, tmp_path: Path) -> None:
    (problem,) = refused(run, drawn(scorer(tmp_path / "m", weight=weight)))
    assert problem.startswith("Reward Model 'judge' > path: scores a prompt of GRPO 'grpo' with ")
    assert problem.endswith("Load it in float32 (dtype), or use another model.")


def test_a_model_for_two_stages_is_loaded_once_and_given_back(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gc

    from transformers import AutoModelForSequenceClassification, GPT2ForSequenceClassification

    load, loads, alive = AutoModelForSequenceClassification.from_pretrained, [], []

    def counted(*args: Any, **kwargs: Any) -> Any:
        alive.append(sum(isinstance(thing, GPT2ForSequenceClassification) for thing in gc.get_objects()))
        loads.append(args)
        return load(*args, **kwargs)

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", counted)
    flow = flows.draw(
        "base -> ppo, rows -> ppo, judge -> ppo, ppo -> grpo, rows -> grpo, judge -> grpo",
        base=flows.BASE,
        rows=node(LoadDataset, path="prompts.jsonl"),
        judge=node(RewardModel, path=str(scorer(tmp_path / "m"))),
        ppo=node(PPO, **flows.ROLLOUT),
        grpo=node(GRPO, **flows.ROLLOUT, num_generations=4),
    )
    gc.collect()
    before = sum(isinstance(thing, GPT2ForSequenceClassification) for thing in gc.get_objects())
    outcome, _ = run(flow)
    assert outcome.error is None
    assert len(loads) == 3, "once before training, once in each stage"
    assert alive == [before] * 3
