"""The models of the cases: configurations and tokenizers without weights, which a check does not read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TURNS = CHATML.replace("{{ m['content'] }}<|im_end|>", "{{ m['content'] }}")
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
STRICT = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "<start>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<start>model\n{% endif %}"
)
TOOLS = (
    "{% if tools %}<|im_start|>tools\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] or '' }}"
    "{% if m.get('tool_calls') %}{{ m['tool_calls'] | tojson }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PARTS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
THINKS = CHATML.replace("{{ m['content'] }}", "<think>{{ m.get('reasoning_content') or '' }}</think>{{ m['content'] }}")
THINKING = CHATML.replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}")
MARKED = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' %}{% generation %}"
    "{{ m['content'] }}<|im_end|>{% endgeneration %}{% else %}{{ m['content'] }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STOPLESS = MARKED.replace("<|im_end|>{% endgeneration %}", "{% endgeneration %}<|im_end|>")
WORDS = ("the quick brown fox answers what is a question yes no user assistant system note", "0 1 2 3 4 5 6 7 8 9")
OTHER_WORDS = ("completely other words are used by this second tokenizer, and its entries differ",)


def tokenizer(
    eos: str | None = "<eos>",
    pad: str | None = "<pad>",
    bos: str | None = None,
    template: str | None = None,
    add_bos: bool = False,
    extra: tuple[str, ...] = (),
    words: tuple[str, ...] = WORDS,
) -> Any:
    """A byte-level BPE of about 320 tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = bytes_, decoders.ByteLevel()
    usual = ("<pad>", "<eos>", "<bos>", "<|im_start|>", "<|im_end|>", "<|endoftext|>")
    special = list(dict.fromkeys([*usual, *extra]))
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=bytes_.alphabet(), show_progress=False
    )
    bpe.train_from_iterator(list(words) * 4, trainer)
    if add_bos:
        bpe.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, bpe.token_to_id(bos))]
        )
    given = {"eos_token": eos, "pad_token": pad, "bos_token": bos, "chat_template": template}
    return PreTrainedTokenizerFast(tokenizer_object=bpe, **{name: value for name, value in given.items() if value})


def _llama(size: int, **more: Any) -> Any:
    from transformers import LlamaConfig

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 256}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return LlamaConfig(vocab_size=size, **{**sizes, **heads, "architectures": ["LlamaForCausalLM"], **more})


def _gpt2(size: int, **more: Any) -> Any:
    from transformers import GPT2Config

    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "architectures": ["GPT2LMHeadModel"]}
    return GPT2Config(vocab_size=size, **{**sizes, **more})


def _t5(size: int) -> Any:
    from transformers import T5Config

    return T5Config(vocab_size=size, d_model=32, num_layers=1, architectures=["T5ForConditionalGeneration"])


def _bert(size: int, **more: Any) -> Any:
    from transformers import BertConfig

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    return BertConfig(vocab_size=size, **sizes, **more)


CHAT: Mapping[str, Any] = {"template": CHATML, "eos": "<|im_end|>"}
SCORES: Mapping[str, Any] = {"num_labels": 1}
MODELS: Mapping[str, tuple[Callable[..., Any], Mapping[str, Any], Mapping[str, Any]]] = {
    "chat": (_llama, {}, CHAT),
    "plain": (_llama, {}, {}),
    "base": (_gpt2, {}, {"pad": None, "eos": "<|endoftext|>", "bos": "<|endoftext|>"}),
    "gpt2": (_gpt2, {}, {}),
    "few": (_gpt2, {"n_positions": 64}, {}),
    "short": (_llama, {"max_position_embeddings": 64}, CHAT),
    "strict": (_llama, {}, {"template": STRICT, "eos": "<|im_end|>", "bos": "<bos>"}),
    "other-end": (_llama, {}, {"template": CHATML, "eos": "<|endoftext|>", "pad": "<|endoftext|>"}),
    "endless": (_llama, {}, {"template": TURNS, "eos": "<eos>"}),
    "no-end": (_llama, {}, {"eos": None}),
    "begins": (_llama, {}, {"bos": "<bos>", "add_bos": True, "template": INST}),
    "tools": (_llama, {}, {"template": TOOLS, "eos": "<|im_end|>"}),
    "parts": (_llama, {}, {"template": PARTS, "eos": "<|im_end|>"}),
    "thinks": (_llama, {}, {"template": THINKS, "eos": "<|im_end|>"}),
    "thinking": (_llama, {}, {"template": THINKING, "eos": "<|im_end|>"}),
    "marked": (_llama, {}, {"template": MARKED, "eos": "<|im_end|>"}),
    "stopless": (_llama, {}, {"template": STOPLESS, "eos": "<|im_end|>"}),
    "small": (lambda size: _llama(size - 20), {}, {"extra": ("<think>", "</think>")}),
    "old-weights": (_llama, {}, {}),
    "greedy": (_llama, {}, {}),
    "half": (_llama, {"dtype": "float16"}, {}),
    "tied": (_llama, {"tie_word_embeddings": True}, {}),
    "donor": (_llama, {}, CHAT),
    "words": (_llama, {}, {"words": OTHER_WORDS}),
    "t5": (_t5, {}, {}),
    "bert": (_bert, {"architectures": ["BertForMaskedLM"]}, {}),
    "classifier": (_llama, {**SCORES, "architectures": ["LlamaForSequenceClassification"]}, {}),
    "headless": (_llama, {"architectures": ["LlamaModel"]}, CHAT),
    "quantized": (
        _llama,
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}},
        {},
    ),
    "scorer": (_llama, {**SCORES, "architectures": ["LlamaForSequenceClassification"]}, CHAT),
    "plain-scorer": (_llama, {**SCORES, "architectures": ["LlamaForSequenceClassification"]}, {}),
    "few-scorer": (_gpt2, {**SCORES, "n_positions": 32, "architectures": ["GPT2ForSequenceClassification"]}, {}),
    "framed-scorer": (
        _bert,
        {**SCORES, "architectures": ["BertForSequenceClassification"]},
        {"bos": "<cls>", "eos": "<sep>", "add_bos": True, "extra": ("<cls>", "<sep>")},
    ),
    "judge": (_bert, {**SCORES, "architectures": ["BertForSequenceClassification"]}, {"words": OTHER_WORDS}),
}
"""What makes the configuration, with which values, and those of the tokenizer."""


def write_models(root: Path) -> None:
    """Writes every model into a folder of its name, and ``adapter`` and ``torn``, which are not complete models."""
    for name, (make, given, words) in MODELS.items():
        own = tokenizer(**words)
        config = make(len(own), **given)
        for token in ("pad_token_id", "eos_token_id", "bos_token_id"):
            setattr(config, token, getattr(own, token))
        config.save_pretrained(root / name)
        own.save_pretrained(root / name)
        (root / name / "model.safetensors").touch()
    adapter = {"peft_type": "LORA", "base_model_name_or_path": "meta/llama", "r": 4}
    (root / "adapter").mkdir()
    (root / "adapter" / "adapter_config.json").write_text(json.dumps(adapter))
    _write_torn(root)
    (root / "old-weights" / "model.safetensors").rename(root / "old-weights" / "pytorch_model.bin")
    sampling = {"do_sample": False, "temperature": 0.9, "top_p": 0.6}
    (root / "greedy" / "generation_config.json").write_text(json.dumps(sampling))


def _write_torn(root: Path) -> None:
    own = tokenizer(**CHAT)
    _llama(len(own)).save_pretrained(root / "torn")
    own.save_pretrained(root / "torn")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (root / "torn" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    (root / "torn" / shards["a"]).touch()
