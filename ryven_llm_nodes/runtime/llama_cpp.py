"""Writes a saved model as one GGUF file, which llama.cpp, Ollama and LM Studio read, and checks what was written.

Names, dimensions and tokenizer follow the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md).
"""

import json
import warnings
from pathlib import Path

import gguf
import numpy
import torch
from accelerate import PartialState
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from .pipeline import Pipeline

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {  # how a byte-level tokenizer splits text before it merges bytes, as llama.cpp names it
    ("ByteLevel",): "gpt-2",
    ("Digits", "ByteLevel"): "smollm",
    (WORDS.replace("DIGITS", r"\p{N}{1,3}"), "ByteLevel"): "llama-bpe",
    (WORDS.replace("DIGITS", r"\p{N}"), "ByteLevel"): "qwen2",
}
SENTENCES = (
    "The capital of France is",
    "Once upon a time, far away,",
    "def add(a, b):\n    return",
    "Wie heißt du? 你好",
)
BLOCK = 32  # numbers that share a scale in Q8_0


def write_gguf(pipeline: Pipeline, name: str, folder: str, precision: str) -> str:
    """Write the model in `folder` once more, as `model-PRECISION.gguf` in it; return the folder.

    The file is opened again: its tokenizer must give the same tokens, and its model the same greedy completions.
    Raise ValueError if they differ; for `q8_0`, which rounds the weights, warn.
    """
    if getattr(pipeline, "only", None) in (None, name) and PartialState().is_main_process:
        place = Path(folder)
        model = AutoModelForCausalLM.from_pretrained(place, dtype="auto").eval()
        file, unfinished = place / f"model-{precision}.gguf", place / f"unfinished-{precision}.gguf"
        try:
            write_file(model, place, unfinished, precision)
            require_same_completions(model, place, unfinished.name, precision)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
    PartialState().wait_for_everyone()
    return folder


def write_file(model: PreTrainedModel, folder: Path, file: Path, precision: str) -> None:
    """Write metadata, tokenizer and weights."""
    config = model.config
    writer = GGUFWriter(file, ARCHITECTURES[config.model_type])
    writer.add_name(folder.name)
    writer.add_file_type(LlamaFileType[FILE_TYPES[precision]])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_dimensions(writer, config)
    add_tokenizer(writer, folder, config.vocab_size)
    for name, weights in named_weights(model).items():
        kind = type_of(name, weights, precision)
        writer.add_tensor(name, gguf.quantize(weights, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def head_size(config: PreTrainedConfig) -> int:
    """Width of an attention head."""
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def add_dimensions(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """The shape of the network."""
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_size(config))
    writer.add_value_length(head_size(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(head_size(config))
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)


def named_weights(model: PreTrainedModel) -> dict[str, numpy.ndarray]:
    """The weights in float32 by their names in GGUF, in the order of dimensions that llama.cpp expects."""
    config = model.config
    architecture = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[ARCHITECTURES[config.model_type]]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    found = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        weights = tensor.float().cpu().numpy()
        if ARCHITECTURES[config.model_type] == "llama" and ("q_proj." in name or "k_proj." in name):
            weights = interleaved(weights, head_size(config))
        found[names.get_name(name, try_suffixes=(".weight", ".bias"))] = weights
    if config.rope_parameters["rope_type"] == "llama3":
        found["rope_freqs.weight"] = rope_factors(config)
    return found


def interleaved(weights: numpy.ndarray, size: int) -> numpy.ndarray:
    """Rows of each head in pairs: llama.cpp rotates neighbours, transformers rotates one half against the other."""
    heads = weights.reshape(-1, 2, size // 2, *weights.shape[1:])
    return numpy.ascontiguousarray(heads.swapaxes(1, 2).reshape(weights.shape))


def rope_factors(config: PreTrainedConfig) -> numpy.ndarray:
    """What each frequency of the rotary embedding is divided by, shape (head size / 2,)."""
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    powers = torch.arange(0, head_size(config), 2).float() / head_size(config)
    return (1 / config.rope_parameters["rope_theta"] ** powers / scaled).numpy()


def type_of(name: str, weights: numpy.ndarray, precision: str) -> GGMLQuantizationType:
    """The number format of a tensor: vectors stay in float32, and rows that do not divide into blocks in float16."""
    if weights.ndim < 2 or precision == "f32":
        return GGMLQuantizationType.F32
    is_odd = precision == "q8_0" and weights.shape[-1] % BLOCK
    return GGMLQuantizationType.F16 if is_odd else GGMLQuantizationType[precision.upper()]


def add_tokenizer(writer: GGUFWriter, folder: Path, size: int) -> None:
    """The tokens, how text becomes tokens, the special ones, and the chat template."""
    described = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in described["model"]["merges"]]
    is_sentencepiece = bool(described["model"].get("byte_fallback"))
    tokens = vocabulary(described, size)
    writer.add_tokenizer_model("llama" if is_sentencepiece else "gpt2")
    if is_sentencepiece:
        ranks = {first + second: rank for rank, (first, second) in reversed(list(enumerate(merges)))}
        writer.add_token_scores([-float(ranks.get(text, len(merges))) for text, _ in tokens])
    else:
        writer.add_tokenizer_pre(split_of(described))
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_types([kind for _, kind in tokens])
    special = gguf.SpecialVocab(folder, load_merges=not is_sentencepiece, n_vocab=size)
    special.add_special_token = add_ends(writer, AutoTokenizer.from_pretrained(folder), is_sentencepiece)
    special.add_to_gguf(writer, quiet=True)


def add_ends(writer: GGUFWriter, tokenizer: PreTrainedTokenizerBase, is_sentencepiece: bool) -> dict[str, bool]:
    """Whether every text begins with a space, and which special tokens stand around it."""
    bare, tokens = tokenizer("a", add_special_tokens=False)["input_ids"], tokenizer("a")["input_ids"]
    if is_sentencepiece:
        writer.add_add_space_prefix(tokenizer.convert_ids_to_tokens(bare[0]).startswith("\u2581"))
    return {"bos": tokens[0] != bare[0], "eos": tokens[-1] != bare[-1]}


def vocabulary(described: dict, size: int) -> list[tuple[str, TokenType]]:
    """Text and type of each of the `size` rows of the embedding; those without a token are unused."""
    tokens = [(f"[UNUSED{index}]", TokenType.UNUSED) for index in range(size)]
    for text, index in described["model"]["vocab"].items():
        is_byte = len(text) == 6 and text.startswith("<0x") and described["model"].get("byte_fallback")
        tokens[index] = (text, TokenType.BYTE if is_byte else TokenType.NORMAL)
    for added in described["added_tokens"]:
        kind = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
        tokens[added["id"]] = (added["content"], kind)
    return tokens


def split_of(described: dict) -> str:
    """What llama.cpp calls the way in which text is split; raise ValueError if it has no name for it."""
    splitter = described["pre_tokenizer"]
    parts = splitter.get("pretokenizers", [splitter])
    rules = tuple(part["pattern"].get("Regex", "") if part["type"] == "Split" else part["type"] for part in parts)
    if rules not in SPLITS:
        raise ValueError(f"the tokenizer splits text by {', '.join(rules)}, which has no name in llama.cpp")
    return SPLITS[rules]


def require_same_completions(model: PreTrainedModel, folder: Path, file: str, precision: str) -> None:
    """Raise ValueError if the file's tokenizer or greedy completions differ from the model's; warn if rounded."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    written = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    config = AutoConfig.from_pretrained(folder, gguf_file=file)
    # transformers 5.24 reads neither rope_freqs.weight nor, for every architecture, the width of a head.
    config.rope_parameters, config.head_dim = model.config.rope_parameters, head_size(model.config)
    again = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, config=config, dtype=model.dtype).eval()
    differing = 0
    for sentence in SENTENCES:
        tokens = tokenizer(sentence)["input_ids"]
        if written(sentence)["input_ids"] != tokens:
            raise ValueError(f"the tokenizer in the GGUF file splits {sentence!r} into other tokens")
        differing += greedy(model, tokens) != greedy(again, tokens)
    if differing:
        said = f"{differing} of {len(SENTENCES)} greedy completions of the GGUF file differ from the model's"
        if precision == "f32" or (precision == "bf16" and model.dtype == torch.bfloat16):
            raise ValueError(said)
        warnings.warn(f"{said}: {precision} rounds the weights", stacklevel=2)


def greedy(model: PreTrainedModel, tokens: list[int], length: int = 16) -> list[int]:
    """The most likely completion of one prompt."""
    prompt = torch.tensor([tokens])
    settings = {"attention_mask": torch.ones_like(prompt), "do_sample": False, "pad_token_id": 0}
    return model.generate(prompt, max_new_tokens=length, **settings)[0].tolist()
