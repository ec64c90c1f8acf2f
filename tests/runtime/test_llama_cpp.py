"""GGUF files: what is written is what transformers reads from them, and what cannot be written is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from ryven_llm_nodes.catalogue.outputs.save_model import GGUF_MODELS, GGUF_ROTATIONS
from ryven_llm_nodes.runtime import llama_cpp

TEXT = [*llama_cpp.SENTENCES, "in 1984 and 2024 there were 12 of 365"] * 4
SPLITTERS = {name: rules[0] for rules, name in llama_cpp.SPLITS.items() if rules[0] not in ("ByteLevel", "Digits")}


def splitter(name: str) -> Any:
    """The pre-tokenizer that llama.cpp calls ``name``."""
    if name in SPLITTERS:
        split = pre_tokenizers.Split(Regex(SPLITTERS[name]), behavior="isolated")
        return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    return byte_level


def byte_level(name: str) -> PreTrainedTokenizerFast:
    """A tokenizer over bytes, learned from ``TEXT``."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = splitter(name), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=320, special_tokens=["<|end|>"], initial_alphabet=alphabet)
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|end|>", pad_token="<|end|>")


def sentencepiece() -> PreTrainedTokenizerFast:
    """A tokenizer over characters with bytes for the others, as Llama 2 has it."""
    made = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    made.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=400, special_tokens=special))
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def saved(folder: Path, kind: str, tokenizer: PreTrainedTokenizerFast, **settings: Any) -> Path:
    """A model of two layers with random weights, whose embedding has rows without a token."""
    from transformers import AutoConfig

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        **{"vocab_size": len(tokenizer) + 3, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
        | {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "head_dim": 16}
        | {"initializer_range": 0.5, "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0}
        | settings,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write(folder: Path, precision: str) -> Path:
    """The file that is written beside the model in ``folder``."""
    pipeline: Any = SimpleNamespace(only=None)
    assert llama_cpp.write_gguf(pipeline, "final", str(folder), precision) == str(folder)
    return folder / f"model-{precision}.gguf"


@pytest.mark.parametrize("kind", llama_cpp.ARCHITECTURES)
def test_another_reader_finds_the_same_model(kind: str, tmp_path: Path) -> None:
    shape = (
        {"head_dim": 128, "tie_word_embeddings": True} if kind == "qwen3" else {}
    )  # 128: transformers reads no other
    folder = saved(tmp_path, kind, byte_level("qwen2"), **shape)
    file = write(folder, "f32")
    tokens = torch.tensor([[5, 6, 7, 8, 9, 10]])
    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name, dtype=torch.float32)
    with torch.no_grad():
        found, expected = read(tokens).logits, AutoModelForCausalLM.from_pretrained(folder)(tokens).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert sorted(path.name for path in folder.glob("*.gguf")) == [file.name]


@pytest.mark.filterwarnings("ignore:.*greedy completions")  # random weights have no clear maximum
@pytest.mark.parametrize("name", llama_cpp.SPLITS.values())
def test_the_way_in_which_text_is_split_is_named(name: str, tmp_path: Path) -> None:
    file = write(saved(tmp_path, "llama", byte_level(name)), "f16")
    fields = gguf.GGUFReader(file).fields
    assert fields["tokenizer.ggml.pre"].contents() == name
    assert len(fields["tokenizer.ggml.tokens"].contents()) == 323


def test_a_tokenizer_of_characters_keeps_its_order_of_merges(tmp_path: Path) -> None:
    tokenizer = sentencepiece()
    folder = saved(tmp_path, "llama", tokenizer)
    file = write(folder, "f32")
    read = AutoTokenizer.from_pretrained(folder, gguf_file=file.name)
    assert [read(text)["input_ids"] for text in TEXT] == [tokenizer(text)["input_ids"] for text in TEXT]


@pytest.mark.filterwarnings("ignore:.*greedy completions")
def test_eight_bits_take_a_third(tmp_path: Path) -> None:
    folder = saved(tmp_path, "llama", byte_level("gpt-2"), hidden_size=256, head_dim=64, intermediate_size=512)
    assert write(folder, "q8_0").stat().st_size < 0.35 * write(folder, "f32").stat().st_size


def test_scaled_rotations_of_llama_3_come_along(tmp_path: Path) -> None:
    rope = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0}
    rope |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    file = write(saved(tmp_path, "llama", byte_level("llama-bpe"), rope_parameters=rope), "f32")
    (factors,) = [tensor.data for tensor in gguf.GGUFReader(file).tensors if tensor.name == "rope_freqs.weight"]
    assert factors.shape == (8,)
    assert factors[0] == 1.0
    assert factors[-1] == pytest.approx(8.0)


def test_a_file_that_gives_other_completions_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(tmp_path, "llama", byte_level("qwen2"))
    monkeypatch.setattr(llama_cpp, "interleaved", lambda weights, size: weights)
    with pytest.raises(ValueError, match=r"greedy completions of the GGUF file differ from the model's"):
        write(folder, "f32")
    assert list(folder.glob("*.gguf")) == []


def test_a_tokenizer_without_a_name_is_refused(tmp_path: Path) -> None:
    tokenizer = byte_level("gpt-2")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    with pytest.raises(ValueError, match=r"Punctuation, ByteLevel, which has no name in llama\.cpp"):
        write(saved(tmp_path, "llama", tokenizer), "f32")


def test_a_single_other_stage_writes_nothing(tmp_path: Path) -> None:
    other: Any = SimpleNamespace(only="sft")
    assert llama_cpp.write_gguf(other, "final", str(tmp_path), "f16") == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_the_node_refuses_is_what_cannot_be_written() -> None:
    assert set(GGUF_MODELS) == set(llama_cpp.ARCHITECTURES)
    assert set(GGUF_ROTATIONS) == {"default", "llama3"}
