"""What is shown of rows: tables, lengths, and the text of tokens."""

from __future__ import annotations

import json
from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.examine.opened import opened
from ryven_llm_nodes.run.examine.prepared import TokenSequence
from ryven_llm_nodes.run.examine.preview import (
    as_data,
    chosen_row,
    format_name,
    histogram,
    overview,
    pieces,
    row_preview,
    sample_of,
    table,
)


def test_a_dataset_as_a_table(workspace: Path) -> None:
    with opened(flows.program(flows.chain(), workspace)) as found:
        shown = table(found, found.program.graph.by_name["dpo_rows"], first=15)
    assert (shown.total, shown.first, len(shown.rows)) == (16, 15, 2)
    assert shown.rows[0] == {"prompt": "what is 14", "chosen": " yes", "rejected": " no no"}
    assert shown.columns == {"prompt": "text", "chosen": "text", "rejected": "text"}
    assert shown.format == "preference, standard"
    assert json.loads(json.dumps(as_data(shown)))["total"] == 16


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"text": "a"}, "language modeling, standard"),
        ({"messages": [{"role": "user", "content": "a"}]}, "language modeling, conversational"),
        ({"prompt": "a"}, "prompt-only, standard"),
        ({"prompt": [{"role": "user", "content": "a"}]}, "prompt-only, conversational"),
        ({"prompt": "a", "completion": "b"}, "prompt-completion, standard"),
        ({"prompt": "a", "completion": "b", "label": True}, "unpaired preference, standard"),
        ({"chosen": "a", "rejected": "b"}, "preference with an implicit prompt, standard"),
        ({"input_ids": [1]}, "tokenized"),
        ({"instruction": "a", "output": "b"}, ""),
    ],
)
def test_formats_have_the_names_of_trl(row: dict[str, object], name: str) -> None:
    from datasets import Dataset

    assert format_name(Dataset.from_list([row])) == name


def test_types_are_in_plain_words() -> None:
    from datasets import Dataset

    from ryven_llm_nodes.run.examine.preview import _type_name

    row = {"messages": [{"role": "user", "content": "a"}], "n": 1, "x": 0.5, "ok": True, "tags": ["a"]}
    features = Dataset.from_list([row]).features
    assert {name: _type_name(feature) for name, feature in features.items()} == {
        "messages": "list of {role: text, content: text}",
        "n": "integer",
        "x": "number",
        "ok": "true or false",
        "tags": "list of text",
    }


def test_an_overview_counts_what_is_lost(work: Path) -> None:
    lengths = [1, 1, 30, 1]
    rows = [{"prompt": "what is 1" * n, "completion": " answer"} for n in lengths]
    rows[3]["completion"] = " answer" * 20
    (work / "sft.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with opened(flows.program(flows.alone("sft", max_length=12), work)) as found:
        step = found.program.graph.by_name["sft"]
        shown = overview(found, step)
        assert (shown.total, shown.looked_at, shown.rows_cut, shown.dropped, shown.untrained) == (4, 4, 2, (3,), 1)
        assert shown.worst == 3
        assert shown.lengths is not None
        assert sum(shown.lengths.counts) == 4
        assert chosen_row(found, step, "worst") == 3
        assert chosen_row(found, step, "3") == 3
        assert chosen_row(found, step, "random") in range(1, 5)
        assert row_preview(found, step, 3).dropped
        with pytest.raises(UsageError, match="give a number, random, or worst"):
            chosen_row(found, step, "last")
        with pytest.raises(UsageError, match="has rows 1 to 4, and no row 5"):
            row_preview(found, step, 5)


def test_prompts_to_sample_from_are_no_loss(workspace: Path) -> None:
    with opened(flows.program(flows.alone("ppo"), workspace)) as found:
        shown = overview(found, found.program.graph.by_name["ppo"])
    assert (shown.rows_cut, shown.dropped, shown.untrained) == (0, (), 0)


def test_a_sample_is_spread_evenly() -> None:
    assert sample_of(3) == [0, 1, 2]
    assert sample_of(1000, 5) == [0, 250, 500, 749, 999]
    assert len(set(sample_of(513))) == 512


def test_a_histogram() -> None:
    found = histogram([5, 1, 1, 40])
    assert sum(found.counts) == 4
    assert (found.median, found.most) == (5, 40)
    assert found.edges[0] == 1
    assert found.edges[-1] > 40
    assert histogram([7]).counts == (1,)


def test_tokens_of_one_character_stay_together() -> None:
    tokenizer = flows.make_tokenizer()
    ids = tokenizer("what é€ 🙂 0")["input_ids"]
    sequence = TokenSequence(0, "row", tuple(ids), ("trained",) * len(ids))
    made = list(pieces(tokenizer, sequence))
    assert [token for piece in made for token in piece.ids] == ids
    assert "".join(piece.text for piece in made) == "what é€ 🙂 0"
    assert "🙂" in {piece.text.strip() for piece in made}
    assert len({piece.text for piece in made if piece.text.strip() in {"é", "€"}}) == 2


def test_a_leading_space_is_kept() -> None:
    """A tokenizer of the SentencePiece kind drops it from what is decoded by itself."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"▁a": 0, "▁b": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer, words.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words)
    made = pieces(tokenizer, TokenSequence(0, "row", (0, 1, 1), ("trained", "trained", "cut")))
    assert [piece.text for piece in made] == ["a", " b", " b"]
