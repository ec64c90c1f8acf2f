"""Saving a trained LoRA adapter: merged into its model, reloaded, and compared."""

import shutil
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PreTrainedModel, Trainer, TrainingArguments

from .stages import refuse_untrained, release_memory

ADAPTER_FOLDER = "adapter"  # subfolder of a stage that holds the adapter itself


def with_score_head(adapter: LoraConfig) -> LoraConfig:
    """The same adapter for a sequence classifier, whose score head is trained in full and saved with it."""
    adapter.task_type = TaskType.SEQ_CLS
    return adapter


def save_merged(trainer: Trainer, folder: Path, keep_adapter: bool = False) -> None:
    """Write the trained policy, its LoRA adapter merged into it, and its tokenizer.

    The stage is finished only if the model, reloaded from the folder, gives the logits of base model plus adapter.
    With `keep_adapter`, `folder / "adapter"` holds the adapter for PeftModel.from_pretrained.
    """
    refuse_untrained(trainer)
    policy = trainer.accelerator.unwrap_model(trainer.model).eval()
    if trainer.accelerator.is_main_process:
        policy.save_pretrained(folder / ADAPTER_FOLDER)  # so that nothing is lost if the merge fails
        if getattr(policy.get_base_model(), "is_quantized", False):
            policy = on_original_weights(policy, folder / ADAPTER_FOLDER, trainer.args)
        expected = fixed_logits(policy.get_base_model())
        merged = merge_adapter(policy)
        merged.save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
        require_same_logits(merged, folder, expected)
        if not keep_adapter:
            shutil.rmtree(folder / ADAPTER_FOLDER)


def on_original_weights(policy: PeftModel, adapter: Path, args: TrainingArguments) -> PeftModel:
    """The adapter of a quantized policy on the weights before they were quantized, which a merge would round."""
    base = policy.get_base_model()
    where = {"trust_remote_code": args.trust_remote_code, "revision": (args.model_init_kwargs or {}).get("revision")}
    settings = {"num_labels": 1} if base.config.num_labels == 1 else {}
    original = type(base).from_pretrained(base.config._name_or_path, dtype=base.dtype, **settings, **where)
    return PeftModel.from_pretrained(original, adapter).eval()


@torch.no_grad()
def merge_adapter(policy: PeftModel) -> PreTrainedModel:
    """Add the adapter to the weights, in float32, and round to their dtype; warn if rounding loses too much.

    bfloat16 has about three significant digits: a change below 1/500 of a weight is lost.
    """
    untie_embeddings(policy.get_base_model())
    lost = learned = 0.0
    for layer in (module for module in policy.modules() if isinstance(module, LoraLayer)):
        change = sum(layer.get_delta_weight(name).float() for name in layer.active_adapters)
        wanted = layer.weight.float() + change
        layer.merge()
        lost += (layer.weight.float() - wanted).square().sum().item()
        learned += change.square().sum().item()
    if lost > 0.01 * learned:
        share, dtype = (lost / learned) ** 0.5, str(policy.dtype).removeprefix("torch.")
        remedy = "load the model in float32 (dtype), or keep the adapter (keep_adapter)"
        warnings.warn(f"{dtype} rounds away {share:.0%} of what the adapter learned: {remedy}", stacklevel=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All adapters are already merged")
        return policy.merge_and_unload()


def untie_embeddings(model: PreTrainedModel) -> None:
    """Untie input and output embeddings if only one of them was trained by an adapter."""
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    is_adapted = isinstance(inputs, LoraLayer) or isinstance(outputs, LoraLayer)
    if is_adapted and outputs is not None and outputs.weight is inputs.weight:
        layer = outputs.get_base_layer() if isinstance(outputs, LoraLayer) else outputs
        layer.weight = nn.Parameter(outputs.weight.detach().clone(), requires_grad=False)
        model.config.tie_word_embeddings = model.config.get_text_config().tie_word_embeddings = False


@torch.no_grad()
def fixed_logits(model: PreTrainedModel) -> torch.Tensor:
    """The logits (2, 16, V) of tokens spread over the vocabulary."""
    size = model.get_input_embeddings().weight.shape[0]
    tokens = torch.linspace(0, size - 1, 32).long().view(2, 16)
    return model(input_ids=tokens.to(model.device)).logits.float().cpu()


def require_same_logits(merged: PreTrainedModel, folder: Path, expected: torch.Tensor) -> None:
    """Raise RuntimeError unless the model in `folder` gives the `expected` logits; `merged` is freed first."""
    kind, dtype, device, attention = type(merged), merged.dtype, merged.device, merged.config._attn_implementation
    merged.to("meta")
    release_memory()
    saved = kind.from_pretrained(folder, dtype=dtype, attn_implementation=attention).to(device).eval()
    error = ((fixed_logits(saved) - expected).norm() / expected.norm()).item()
    rounding = max(torch.finfo(dtype).eps, 0 if device.type == "cpu" else 2**-10)  # TF32 on a GPU
    if not error <= rounding**0.5:
        raise RuntimeError(
            f"the saved model differs from the trained one: its logits have a relative error of {error:.2g}, where "
            f"{rounding**0.5:.2g} is allowed. Leave embeddings and heads out of target_modules and train again, or use "
            f"the adapter itself, which is saved in {folder / ADAPTER_FOLDER} (PeftModel.from_pretrained)."
        )
