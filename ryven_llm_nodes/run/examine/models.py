"""What the configuration of a model tells about it, before its weights are loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ryven_llm_nodes.catalogue.findings import Finding, Pretrained
from ryven_llm_nodes.errors import shown
from ryven_llm_nodes.run.examine.here import is_installed

LANGUAGE_MODELS: Final = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "DoubleHeadsModel")
"""How architectures with a language-model head end."""
OTHERS: Final = {
    "ForSequenceClassification": "a sequence classifier",
    "ForTokenClassification": "a token classifier",
    "ForMaskedLM": "a masked language model, which sees the words after a gap",
    "ForPreTraining": "a masked language model, which sees the words after a gap",
    "ForQuestionAnswering": "a model that marks answers in a text",
    "ForMultipleChoice": "a classifier of choices",
}
"""What else a checkpoint may hold, by the end of its architecture."""
HEADLESS: Final = ("Model",)
QUANTIZERS: Final = {
    "bitsandbytes": ("bitsandbytes", "bitsandbytes"),
    "gptq": ("gptqmodel", "gptqmodel"),
    "awq": ("awq", "autoawq"),
    "hqq": ("hqq", "hqq"),
    "aqlm": ("aqlm", "aqlm"),
    "quanto": ("optimum.quanto", "optimum-quanto"),
    "eetq": ("eetq", "eetq"),
    "torchao": ("torchao", "torchao"),
    "compressed-tensors": ("compressed_tensors", "compressed-tensors"),
}
"""The module that each method of quantization needs, and what to install for it."""


def model_findings(model: Pretrained, config: Any, tokenizer: Any) -> Iterator[Finding]:
    """What is wrong with a model that a node loads, whatever is done with it."""
    yield from _packages(model, config)
    if not model.scores:
        yield from _architecture(model, config)


def _architecture(model: Pretrained, config: Any) -> Iterator[Finding]:
    """Only causal language models are trained: others fail, or get a head with random weights."""
    name = next(iter(config.architectures or ()), "")
    if getattr(config, "is_encoder_decoder", False):
        what = f"is an encoder-decoder ({name or config.model_type})"
        yield Finding(model.parameter, f"{shown(model.location)} {what}; give a causal language model.")
        return
    kind = next((kind for end, kind in OTHERS.items() if name.endswith(end)), None)
    if kind is not None:
        yield Finding(
            model.parameter, f"{shown(model.location)} is {kind} ({name}), not a causal language model; give one."
        )
    elif name.endswith(HEADLESS) and not name.endswith(LANGUAGE_MODELS) and not hasattr(config, "auto_map"):
        yield Finding(
            model.parameter,
            f"{shown(model.location)} was saved without a language-model head ({name}), which would get random "
            "weights; give the model as a causal language model.",
            "note" if config.get_text_config().tie_word_embeddings else "warning",
        )


def _packages(model: Pretrained, config: Any) -> Iterator[Finding]:
    """A quantized checkpoint needs the package that made it."""
    settings = getattr(config, "quantization_config", None)
    settings = settings if isinstance(settings, dict) or settings is None else settings.to_dict()
    method = str((settings or {}).get("quant_method", ""))
    module, requirement = QUANTIZERS.get(method, ("", ""))
    if module and not is_installed(module):
        what = f"{shown(model.location)} is quantized by {method}, which needs the package {module}"
        yield Finding(
            model.parameter,
            f"{what}, which is not installed here; pip install {requirement}, or give the model as it was before.",
        )
