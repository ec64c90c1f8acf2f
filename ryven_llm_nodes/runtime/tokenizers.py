"""Tokenizers for trainers that do not load one themselves."""

from transformers import AutoTokenizer, PreTrainedTokenizerBase


def padding_tokenizer(model: str, **options: object) -> PreTrainedTokenizerBase:
    """The tokenizer of a model; one without a padding token pads with its end token, as TRL does elsewhere."""
    tokenizer = AutoTokenizer.from_pretrained(model, **options)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return tokenizer
