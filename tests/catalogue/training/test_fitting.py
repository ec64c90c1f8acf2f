"""Settings that do not fit model, tokenizer or rows are found before training, by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import SFT, LoadDataset
from ryven_llm_nodes.run import Event, run_program

Run = Callable[..., tuple[Any, list[Event]]]

CASES = [
    ("sft", "router_aux_loss_coef", 0.1, "balances the experts of a mixture-of-experts model; a model of type"),
    ("sft", "eos_token", "<eoss>", "must be a token of the model's tokenizer, got '<eoss>'. Did you mean '<eos>'?"),
    ("dpo", "pad_token", "<none>", "must be a token of the model's tokenizer, got '<none>'."),
    ("sft", "model_init_kwargs", {"atn": 1}, "neither from_pretrained nor a model of type 'llama' knows 'atn';"),
    ("sft", "max_length", 2, "is 2, but the shortest prompt already has 3 tokens: no row is left."),
    ("sft", "chat_template_path", "nobody/nothing", "'nobody/nothing' has no tokenizer that can be loaded: "),
    ("grpo", "generation_kwargs", {"temprature": 1}, "generation has no setting 'temprature'"),
    ("sft", "activation_checkpointing_kwargs", {"no": 1}, "checkpointing has no setting 'no'"),
    ("sft", "lr_scheduler_kwargs", {"no": 1}, "unexpected keyword argument 'no'"),
]


@pytest.mark.parametrize(("method", "field", "value", "message"), CASES, ids=lambda item: str(item)[:20])
def test_is_refused_by_name(run: Run, tmp_path: Path, method: str, field: str, value: Any, message: str) -> None:
    outcome, _ = run(flows.alone(method, **{field: value}))
    (problem,) = map(str, outcome.error.problems)
    assert problem.startswith(f"{flows.TRAINERS[method][0].title} {method!r} > {field}: ")
    assert message in problem
    assert not (tmp_path / "out" / method).exists()


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("sft", {"eos_token": "<eos>", "pad_token": "<pad>"}),
        ("sft", {"model_init_kwargs": {"attn_implementation": "eager", "attention_dropout": 0.1}}),
        ("sft", {"lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": 2}}),
        ("grpo", {"generation_kwargs": {"no_repeat_ngram_size": 3}}),
        ("sft", {"chat_template_path": "model"}),
    ],
)
def test_what_fits_trains(run: Run, method: str, settings: dict[str, Any]) -> None:
    assert run(flows.alone(method, **settings))[0].error is None


@pytest.mark.parametrize("has_conversations", [True, False])
def test_the_loss_of_the_assistant_alone(work: Path, tmp_path: Path, has_conversations: bool) -> None:
    """Its template has to mark what the assistant says, and there has to be an assistant."""
    (work / "plain").mkdir()
    (work / "plain" / "train.jsonl").write_text(json.dumps({"prompt": "a", "completion": "b"}) + "\n")
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        base=flows.BASE,
        rows=node(LoadDataset, path="messages.jsonl" if has_conversations else "./plain"),
        sft=node(SFT, **flows.FAST, assistant_only_loss=True),
    )
    error = str(run_program(flows.program(drawn, work), tmp_path / "out").error)
    assert error.startswith("SFT 'sft' > assistant_only_loss: ")
    assert ("{% generation %}" in error) == has_conversations
