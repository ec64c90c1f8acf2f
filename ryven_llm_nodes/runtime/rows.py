"""What rows of any of TRL's dataset types say, and which of them are the same."""

import json
from collections.abc import Sequence

from datasets import Dataset
from transformers import AutoTokenizer, PreTrainedTokenizerBase


def text_of(row: dict, columns: Sequence[str]) -> str:
    """The text of some columns of a row, one below the other; of a conversation, the contents of its messages."""
    return "\n".join(text for column in columns for text in texts_in(row[column]))


def texts_in(value: object) -> list[str]:
    """The texts of a value: itself, or the contents of its messages."""
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item.get("content") if isinstance(item, dict) else item)]
    return [] if value is None else [str(value)]


def filter_by_tokens(
    dataset: Dataset,
    model: str,
    columns: Sequence[str],
    min_length: int = 0,
    max_length: int | None = None,
    **where: object,
) -> Dataset:
    """Keep the rows whose `columns` together have that many tokens of the tokenizer of `model`."""
    tokenizer = AutoTokenizer.from_pretrained(model, **where)
    longest = max_length if max_length is not None else float("inf")

    def fits(row: dict) -> bool:
        return min_length <= count_tokens(row, columns, tokenizer) <= longest

    return dataset.filter(fits)


def count_tokens(row: dict, columns: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> int:
    """The tokens of a row: messages in the chat template, and texts with nothing between them."""
    values = [row[column] for column in columns]
    messages = [
        message for value in values if isinstance(value, list) for message in value if isinstance(message, dict)
    ]
    text = "".join(str(value) for value in values if value is not None and not isinstance(value, list))
    count = len(tokenizer.apply_chat_template(messages, return_dict=False)) if messages else 0
    return count + (len(tokenizer(text)["input_ids"]) if text else 0)


def deduplicate(dataset: Dataset, columns: Sequence[str], ignore_case: bool = False) -> Dataset:
    """Keep the first of the rows whose `columns` are equal; with `ignore_case`, upper case and spaces do not count."""
    first: dict[str, int] = {}
    for number, row in enumerate(dataset.select_columns(list(columns))):
        plain = {column: " ".join(" ".join(texts_in(row[column])).lower().split()) for column in columns}
        text = json.dumps(plain if ignore_case else row, sort_keys=True, ensure_ascii=False, default=str)
        first.setdefault(text, number)
    return dataset.select(sorted(first.values()))
