"""Steps on tensors without data: what they show of the memory of a real step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, Qwen3Config

from ryven_llm_nodes.run.fit import simulate
from ryven_llm_nodes.run.fit.simulate import Recipe, Shape, generation_bytes, shallow, step_sizes, weight_bytes

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
LLAMA = LlamaConfig(vocab_size=500, num_hidden_layers=2, **SIZES)
FAMILIES = [
    LLAMA,
    GPT2Config(vocab_size=500, n_embd=64, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=1),
    Qwen3Config(vocab_size=500, num_hidden_layers=2, head_dim=16, tie_word_embeddings=True, **SIZES),
]
SHAPE = Shape(4, 128, is_padded=False)


def recipe(**changes: Any) -> Recipe:
    return replace(Recipe(LLAMA, torch.float32), **changes)


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_weights_are_those_of_the_model(config: Any) -> None:
    real = AutoModelForCausalLM.from_config(config)
    expected = sum(parameter.nbytes for parameter in real.parameters())
    sizes = step_sizes(recipe(config=config), SHAPE)
    assert (sizes.weights, sizes.trained) == (expected, expected)
    assert weight_bytes(config, torch.bfloat16) == expected // 2


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_what_backward_needs_is_what_a_real_forward_pass_saves(config: Any) -> None:
    """Compared with the tensors that autograd saves where there are data."""
    from trl.trainer.utils import add_fused_lm_head

    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").train()
    add_fused_lm_head(model, outputs=simulate.SCORES_OUTPUTS)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    saved: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    ids = torch.ones(SHAPE.sequences, SHAPE.length, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids, fused_lm_head=True)
    expected = sum(saved.values())
    simulated = step_sizes(recipe(config=config), SHAPE).dynamic
    head = 8 * SHAPE.sequences * SHAPE.length * 32768 * 4  # TRL's head computes a tile of the vocabulary at a time
    assert expected < simulated < expected + head
    assert out.log_probs.requires_grad


def test_a_deep_model_is_extrapolated_from_shallow_ones() -> None:
    deep = recipe(config=LlamaConfig(vocab_size=500, num_hidden_layers=10, **SIZES), adapter=LoraConfig(r=4))
    complete, sizes = simulate._stepped(deep, SHAPE), step_sizes(deep, SHAPE)
    assert (sizes.weights, sizes.trained) == (complete.weights, complete.trained)
    assert sizes.dynamic == pytest.approx(complete.dynamic, rel=0.01)
    assert shallow(FAMILIES[2], 1).layer_types == ["full_attention"]


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"checkpointing": True}, SHAPE),
        ({"autocast": torch.bfloat16}, SHAPE),
        ({}, Shape(2, 128, False)),
        ({}, Shape(4, 64, False)),
    ],
    ids=["checkpointing", "mixed precision", "batch", "length"],
)
def test_what_takes_less(changes: dict[str, Any], shape: Shape) -> None:
    plain = recipe(head="scores")  # log-probabilities are computed in chunks, the same for all of these
    before, after = step_sizes(plain, SHAPE), step_sizes(replace(plain, **changes), shape)
    assert after.dynamic - after.trained < 0.9 * (before.dynamic - before.trained)


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"attention": "eager"}, SHAPE),
        ({"accumulates": True}, SHAPE),
        ({}, Shape(4, 128, is_padded=True)),
    ],
    ids=["eager attention", "accumulation", "padding"],
)
def test_what_takes_more(changes: dict[str, Any], shape: Shape) -> None:
    plain = recipe(head="scores")
    assert step_sizes(replace(plain, **changes), shape).dynamic > step_sizes(plain, SHAPE).dynamic


def test_all_logits_at_once_grow_with_the_vocabulary() -> None:
    """Twice as many: as they come, and their probabilities; log-probabilities are computed in chunks of it."""
    wide, wider = (LlamaConfig(vocab_size=size, num_hidden_layers=2, **SIZES) for size in (40000, 60000))
    more = {
        head: step_sizes(recipe(config=wider, head=head), SHAPE).dynamic
        - step_sizes(recipe(config=wide, head=head), SHAPE).dynamic
        for head in ("logits", "log_probs")
    }
    logits = 4 * 20000 * SHAPE.sequences * SHAPE.length
    assert more["logits"] > 2 * logits > more["log_probs"]


def test_an_adapter_alone_is_trained() -> None:
    sizes = step_sizes(recipe(adapter=LoraConfig(r=4, target_modules=["q_proj"])), SHAPE)
    assert sizes.trained == 2 * 4 * (64 + 64) * 4  # layers, rank, in and out, float32
    assert sizes.weights == weight_bytes(LLAMA, torch.float32) + sizes.trained


def test_a_critic_of_its_own_is_trained_too() -> None:
    one, two = step_sizes(recipe(), SHAPE), step_sizes(recipe(critic=LLAMA), SHAPE)
    assert one.trained < two.trained < 2 * one.trained
    assert two.dynamic > one.dynamic


def test_the_cache_grows_with_the_completion() -> None:
    few, many = (generation_bytes(recipe(), SHAPE, new) for new in (1000, 9000))
    cache = 2 * 2 * 4 * 2 * 16 * 4  # keys and values, layers, sequences, heads, width, float32
    assert many - few == pytest.approx(8000 * cache * 1.5, rel=0.01)


def test_a_classifier_has_scores() -> None:
    scores, language = step_sizes(recipe(head="scores"), SHAPE), step_sizes(recipe(), SHAPE)
    assert scores.weights == language.weights - 4 * 499 * 64
    assert scores.dynamic < language.dynamic
