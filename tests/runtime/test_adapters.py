"""What is saved of a LoRA run is what was trained: the adapter merged, tied embeddings untied, and compared again."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from ryven_llm_nodes.runtime import adapters
from ryven_llm_nodes.runtime.adapters import fixed_logits, save_merged

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


def llama(dtype: torch.dtype = torch.float32, tied: bool = True) -> PreTrainedModel:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SIZES, vocab_size=64, tie_word_embeddings=tied)).to(dtype)


def gpt2(dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=64)).to(dtype)


def trained(model: PreTrainedModel, size: float = 0.02, **config: Any) -> PeftModel:
    """``model`` with an adapter, moved as if by training."""
    policy = get_peft_model(model, LoraConfig(r=4, task_type="CAUSAL_LM", **config))
    torch.manual_seed(1)
    for name, parameter in policy.named_parameters():
        if parameter.requires_grad and "lora_A" not in name:
            parameter.data += torch.randn_like(parameter) * size
    return policy.eval()


def trainer_of(policy: PeftModel, tokenizer: PreTrainedTokenizerFast) -> Any:
    """As much of a trainer as saving asks for, after a step of training."""
    accelerator, state = Accelerator(cpu=True), SimpleNamespace(global_step=1)
    return SimpleNamespace(model=policy, accelerator=accelerator, processing_class=tokenizer, state=state)


def opened(folder: Path, **options: Any) -> torch.Tensor:
    return fixed_logits(AutoModelForCausalLM.from_pretrained(folder, **options).eval())


@pytest.mark.parametrize(
    ("make", "config", "is_tied"),
    [
        (llama, {"target_modules": "all-linear"}, True),
        (llama, {"target_modules": ["embed_tokens"]}, False),
        (llama, {"target_modules": ["lm_head"]}, False),
        (llama, {"target_modules": ["q_proj", "embed_tokens", "lm_head"]}, False),
        (llama, {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]}, False),
        (llama, {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}, False),
        (gpt2, {"target_modules": "all-linear"}, True),
        (gpt2, {"target_modules": ["wte"]}, False),
        (gpt2, {"target_modules": ["c_attn", "lm_head"]}, False),
    ],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
def test_the_saved_model_is_the_trained_one(
    make: Any,
    config: dict[str, Any],
    is_tied: bool,
    dtype: torch.dtype,
    tolerance: float,
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
) -> None:
    policy = trained(make(dtype), **config)
    wanted = fixed_logits(policy.get_base_model())
    with policy.disable_adapter():
        before = fixed_logits(policy.get_base_model())
    save_merged(trainer_of(policy, tokenizer), tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert model.dtype == dtype
    assert model.config.tie_word_embeddings == is_tied
    assert (fixed_logits(model) - wanted).norm() < tolerance * wanted.norm() < (wanted - before).norm()
    assert not (tmp_path / "adapter").exists()


def test_the_tokens_that_a_template_adds_are_saved_as_trained(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    """What TRL makes of ``chat_template_path`` where embeddings are not tied."""
    added = {"trainable_token_indices": {"embed_tokens": [62, 63]}, "modules_to_save": ["lm_head"]}
    policy = trained(llama(tied=False), target_modules=["q_proj"], **added)
    wanted = fixed_logits(policy.get_base_model())
    save_merged(trainer_of(policy, tokenizer), tmp_path)
    assert torch.allclose(opened(tmp_path), wanted, atol=1e-5)


def test_a_model_that_is_saved_wrong_is_an_error_and_the_adapter_stays(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were embeddings merged while they share a weight, the model would be another one."""
    monkeypatch.setattr(adapters, "untie_embeddings", lambda model: None)
    policy = trained(llama(), target_modules=["lm_head"])
    wanted = fixed_logits(policy.get_base_model())
    with pytest.raises(RuntimeError, match="the saved model differs from the trained one") as failure:
        save_merged(trainer_of(policy, tokenizer), tmp_path)
    assert "Leave embeddings and heads out of target_modules" in str(failure.value)
    rescued = PeftModel.from_pretrained(llama(), tmp_path / "adapter").eval()
    assert torch.allclose(fixed_logits(rescued.get_base_model()), wanted, atol=1e-5)


@pytest.mark.parametrize("modules", ["all-linear", ["embed_tokens", "q_proj"]])
def test_the_adapter_can_be_kept_beside_the_model(
    modules: Any, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    policy = trained(llama(), target_modules=modules)
    wanted = fixed_logits(policy.get_base_model())
    save_merged(trainer_of(policy, tokenizer), tmp_path, keep_adapter=True)
    kept = PeftModel.from_pretrained(llama(), tmp_path / "adapter").eval()
    assert torch.equal(fixed_logits(kept.get_base_model()), wanted)
    assert torch.allclose(opened(tmp_path), wanted, atol=1e-5)


def changes(policy: PeftModel) -> Iterable[tuple[str, torch.Tensor]]:
    """By the name of each weight that an adapter changes: what it is with the adapter, in float32."""
    for name, layer in policy.get_base_model().named_modules():
        if isinstance(layer, LoraLayer):
            yield name, layer.weight.float() + layer.get_delta_weight("default").float()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_are_added_up_in_float32_and_rounded_once(
    dtype: torch.dtype, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    policy = trained(llama(dtype), 1e-3, target_modules="all-linear")
    wanted = {name: weight.to(dtype) for name, weight in changes(policy)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_merged(trainer_of(policy, tokenizer), tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert len(wanted) == 14
    assert all(torch.equal(model.get_submodule(name).weight, weight) for name, weight in wanted.items())


@pytest.mark.parametrize(("dtype", "size"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
def test_nothing_is_said_where_little_is_lost(
    dtype: torch.dtype, size: float, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    policy = trained(llama(dtype), size, target_modules="all-linear")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        save_merged(trainer_of(policy, tokenizer), tmp_path)
    assert [str(warning.message) for warning in told if "rounds away" in str(warning.message)] == []


def test_what_rounding_takes_away_is_said(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    policy = trained(llama(torch.bfloat16), 1e-4, target_modules="all-linear")
    told = r"bfloat16 rounds away \d\d% of what the adapter learned: load the model in float32 \(dtype\), or keep"
    with pytest.warns(UserWarning, match=told):
        save_merged(trainer_of(policy, tokenizer), tmp_path)


def test_the_adapter_of_a_quantized_model_is_merged_into_the_original_weights(tmp_path: Path, tokenizer: Any) -> None:
    """A coarse model stands for a quantized one: its weights are rounded, those in the folder are not."""
    llama(tied=False).save_pretrained(tmp_path / "base")
    coarse = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    for parameter in coarse.parameters():
        parameter.data = (parameter.data * 20).round() / 20
    policy = trained(coarse, target_modules="all-linear")
    coarse.is_quantized = True
    expected = merged_into(tmp_path / "base", policy)
    trainer = trainer_of(policy, tokenizer)
    trainer.args = SimpleNamespace(trust_remote_code=False, model_init_kwargs=None)
    save_merged(trainer, tmp_path / "stage")
    torch.testing.assert_close(opened(tmp_path / "stage"), expected)


def merged_into(base: Path, policy: PeftModel) -> torch.Tensor:
    """The logits of the model in ``base`` with the adapter of ``policy``."""
    policy.save_pretrained(base.parent / "adapter")
    return fixed_logits(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), base.parent / "adapter"))
