"""Convert Format: what people publish becomes what they would have converted it to by hand, to the last token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from flows import BASE, draw, node, problems, program

from ryven_llm_nodes.catalogue import DPO, SFT, ConvertFormat, InlineTable, LoadDataset
from ryven_llm_nodes.catalogue.foreign_formats import DETECT, SOURCES, TARGETS
from ryven_llm_nodes.catalogue.values import DatasetValue

Row = Mapping[str, Any]


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def made(rows: list[Row], folder: Path, is_known: bool = True, **params: Any) -> Any:
    """The dataset that the script makes of ``rows``; its columns are known before unless it comes from the Hub."""
    table = node(InlineTable, rows=json.dumps(rows)) if is_known else node(LoadDataset, path="owner/name")
    built = program(draw("rows -> made", rows=table, made=node(ConvertFormat, **params)), folder)
    cell = built.cells["made"]
    namespace: dict[str, Any] = {"rows": Dataset.from_list([dict(row) for row in rows])}
    exec("\n".join((*cell.imports, cell.statement)), namespace)
    value = cell.values["dataset"]
    assert isinstance(value, DatasetValue)
    assert value.columns is None if not is_known else set(value.columns or ()) == set(namespace["made"].column_names)
    return namespace["made"]


ASKED, ANSWERED, WORSE = "What is 2 + 2?", "4", "I do not know"
CHAT = [said("user", ASKED), said("assistant", ANSWERED)]
LONG = [*CHAT, said("user", "And twice that?"), said("assistant", "8")]
HH = f"\n\nHuman: {ASKED}\n\nAssistant: {ANSWERED}\n\nHuman: And twice that?\n\nAssistant:"
FOUND: Mapping[str, list[Row]] = {
    "alpaca": [
        {"instruction": ASKED, "input": "", "output": ANSWERED},
        {"instruction": "Add these.", "input": "2, 2", "output": ANSWERED},
    ],
    "alpaca with system and history": [
        {"instruction": "And twice that?", "input": "", "output": "8", "system": "Be short.", "history": [[ASKED, "4"]]}
    ],
    "sharegpt": [
        {
            "id": "x",
            "conversations": [{"from": "human" if m["role"] == "user" else "gpt", "value": m["content"]} for m in LONG],
        }
    ],
    "sharegpt with roles": [{"conversations": LONG, "system": "Be short."}],
    "sharegpt with a pair": [
        {
            "conversations": [{"from": "human", "value": ASKED}],
            "chosen": {"from": "gpt", "value": ANSWERED},
            "rejected": {"from": "gpt", "value": WORSE},
        }
    ],
    "messages": [{"messages": LONG}],
    "messages with parts": [
        {"messages": [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in LONG]}
    ],
    "ultrachat": [{"prompt": ASKED, "prompt_id": "0", "messages": LONG}],
    "hh-rlhf": [{"chosen": f"{HH} 8", "rejected": f"{HH} 80"}],
    "ultrafeedback": [
        {
            "prompt": ASKED,
            "chosen": CHAT,
            "rejected": [CHAT[0], said("assistant", WORSE)],
            "messages": CHAT,
            "score_chosen": 8.5,
            "score_rejected": 2.0,
        }
    ],
    "columns": [{"question": ASKED, "answer": ANSWERED, "id": 1}],
    "columns with a pair": [{"prompt": ASKED, "chosen": ANSWERED, "rejected": WORSE}],
    "columns with a pair of conversations": [
        {"prompt": ASKED, "chosen": CHAT, "rejected": [CHAT[0], said("assistant", WORSE)]}
    ],
    "columns with a label": [{"prompt": ASKED, "completion": WORSE, "label": 0}],
}
BY_HAND: Mapping[tuple[str, str], list[Row]] = {
    ("alpaca", "prompt-completion"): [
        {"prompt": [said("user", ASKED)], "completion": [said("assistant", ANSWERED)]},
        {"prompt": [said("user", "Add these.\n\n2, 2")], "completion": [said("assistant", ANSWERED)]},
    ],
    ("alpaca", "prompt-only"): [
        {"prompt": [said("user", ASKED)], "output": ANSWERED},
        {"prompt": [said("user", "Add these.\n\n2, 2")], "output": ANSWERED},
    ],
    ("alpaca with system and history", "language modeling"): [{"messages": [said("system", "Be short."), *LONG]}],
    ("sharegpt", "language modeling"): [{"id": "x", "messages": LONG}],
    ("sharegpt", "prompt-completion"): [{"id": "x", "prompt": LONG[:-1], "completion": LONG[-1:]}],
    ("sharegpt with roles", "language modeling"): [{"messages": [said("system", "Be short."), *LONG]}],
    ("sharegpt with a pair", "preference"): [
        {"prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": [said("assistant", WORSE)]}
    ],
    ("messages", "language modeling"): [{"messages": LONG}],
    ("messages", "prompt-only"): [{"prompt": LONG[:-1]}],
    ("messages with parts", "language modeling"): [{"messages": LONG}],
    ("ultrachat", "language modeling"): [{"prompt_id": "0", "messages": LONG}],
    ("hh-rlhf", "preference"): [{"prompt": LONG[:-1], "chosen": LONG[-1:], "rejected": [said("assistant", "80")]}],
    ("hh-rlhf", "prompt-completion"): [{"prompt": LONG[:-1], "completion": LONG[-1:]}],
    ("ultrafeedback", "preference"): [
        {
            "prompt": CHAT[:1],
            "chosen": CHAT[1:],
            "rejected": [said("assistant", WORSE)],
            "score_chosen": 8.5,
            "score_rejected": 2.0,
        }
    ],
    ("ultrafeedback", "unpaired preference"): [
        {"prompt": CHAT[:1], "completion": answer, "label": label, "score_chosen": 8.5, "score_rejected": 2.0}
        for answer, label in ((CHAT[1:], True), ([said("assistant", WORSE)], False))
    ],
    ("columns", "prompt-completion"): [{"prompt": CHAT[:1], "completion": CHAT[1:], "id": 1}],
    ("columns", "prompt-only"): [{"prompt": CHAT[:1], "answer": ANSWERED, "id": 1}],
    ("columns with a pair", "preference"): [
        {"prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": [said("assistant", WORSE)]}
    ],
    ("columns with a pair of conversations", "preference"): [
        {"prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": [said("assistant", WORSE)]}
    ],
    ("columns with a label", "unpaired preference"): [
        {"prompt": CHAT[:1], "completion": [said("assistant", WORSE)], "label": False}
    ],
}


@pytest.mark.parametrize("is_known", [True, False], ids=["file", "hub"])
@pytest.mark.parametrize(("name", "target"), BY_HAND)
def test_a_format_as_it_is_found(name: str, target: str, is_known: bool, tmp_path: Path) -> None:
    assert list(made(FOUND[name], tmp_path, is_known, target=target)) == BY_HAND[name, target]


TRAINED_BY = {
    "sft": ("language modeling", "prompt-completion"),
    "dpo": ("preference",),
    "kto": ("unpaired preference",),
}
HAND_MADE = [(method, *case) for method, targets in TRAINED_BY.items() for case in BY_HAND if case[1] in targets]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name", "target"), HAND_MADE)
def test_every_token_is_that_of_rows_converted_by_hand(
    method: str, name: str, target: str, workspace: Path, tmp_path: Path
) -> None:
    """TRL's own trainers prepare both."""
    converted = tokens(method, made(FOUND[name], tmp_path, target=target), workspace, tmp_path)
    by_hand = tokens(method, Dataset.from_list([dict(row) for row in BY_HAND[name, target]]), workspace, tmp_path)
    assert converted == by_hand
    assert all(row for row in converted)


def tokens(method: str, rows: Any, workspace: Path, folder: Path) -> list[Any]:
    """What TRL's trainer makes of ``rows``: the tokens that it trains on."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

    classes = {"sft": (SFTConfig, SFTTrainer), "dpo": (DPOConfig, DPOTrainer), "kto": (KTOConfig, KTOTrainer)}
    config, trainer = classes[method]
    model = AutoModelForCausalLM.from_pretrained(workspace / "model")
    tokenizer = AutoTokenizer.from_pretrained(workspace / "model")
    args = config(output_dir=str(folder), use_cpu=True, bf16=False, report_to="none")
    prepared = trainer(model=model, args=args, train_dataset=rows, processing_class=tokenizer).train_dataset
    names = [name for name in prepared.column_names if name.endswith(("_ids", "_mask"))]
    assert names
    return list(prepared.select_columns(names))


@pytest.mark.parametrize("source", SOURCES)
def test_a_format_that_is_named(source: str, tmp_path: Path) -> None:
    rows = next(rows for name, rows in FOUND.items() if name.startswith(source))
    named, detected = (list(made(rows, tmp_path, target="prompt-only", source=name)) for name in (source, DETECT))
    assert named == detected


def test_every_format_and_every_type_is_tried() -> None:
    assert {name.split(" ")[0] for name, _ in BY_HAND} | {"ultrachat"} == {*SOURCES, "ultrachat"}
    assert {target for _, target in BY_HAND} == set(TARGETS)


@pytest.mark.parametrize(
    ("name", "target", "row"),
    [
        (
            "alpaca",
            "prompt-completion",
            {
                "prompt": "Below is an instruction that describes a task. Write a response that completes it.\n\n"
                f"### Instruction:\n{ASKED}\n\n### Response:\n",
                "completion": ANSWERED,
            },
        ),
        ("hh-rlhf", "preference", {"prompt": HH, "chosen": " 8", "rejected": " 80"}),
        ("columns", "prompt-completion", {"prompt": ASKED, "completion": ANSWERED, "id": 1}),
        ("columns", "language modeling", {"text": ASKED + ANSWERED, "id": 1}),
    ],
)
def test_plain_text(name: str, target: str, row: Row, tmp_path: Path) -> None:
    assert made(FOUND[name], tmp_path, target=target, form="standard")[0] == row


@pytest.mark.parametrize(
    ("target", "trainer", "is_right"),
    [
        ("prompt-completion", SFT, True),
        ("preference", SFT, False),
        ("preference", DPO, True),
        ("prompt-completion", DPO, False),
    ],
)
def test_trainers_see_what_columns_there_are(target: str, trainer: type[Any], is_right: bool, data: Path) -> None:
    table = node(InlineTable, rows=json.dumps(FOUND["ultrafeedback"][0]))
    nodes = {"base": BASE, "rows": table, "made": node(ConvertFormat, target=target), "trained": node(trainer)}
    found = problems(draw("base -> trained, rows -> made, made -> trained", **nodes), data)
    assert [wrong.startswith(f"{trainer.title} 'trained' > dataset: ") for wrong in found] == [True] * (not is_right)


def test_a_system_message_of_its_own_stays(tmp_path: Path) -> None:
    rows = made(FOUND["sharegpt with roles"], tmp_path, target="language modeling", system="Be kind.")
    assert rows[0]["messages"][0] == said("system", "Be short.")
    rows = made(FOUND["columns"], tmp_path, system="Be kind.")
    assert rows[0]["prompt"] == [said("system", "Be kind."), *CHAT[:1]]


@pytest.mark.parametrize(
    ("columns", "params", "message"),
    [
        ("a b", {}, "source: cannot be told: no known format has the columns 'a', 'b'; name it, or rename the columns"),
        (
            "question",
            {},
            "target: prompt-completion needs an answer, which these rows have not; choose another target.",
        ),
        ("question answer", {"target": "preference"}, "target: preference needs a pair of answers, which these rows"),
        ("text", {"source": "alpaca"}, "source: alpaca needs 'instruction' + 'output'; the dataset has 'text'."),
        ("messages", {"form": "standard"}, "form: must be 'conversational' for messages: it holds conversations"),
        ("question answer", {"form": "standard", "system": "x"}, "system: is for conversations; clear it"),
    ],
)
def test_what_cannot_be_converted(columns: str, params: dict[str, str], message: str, tmp_path: Path) -> None:
    table = node(InlineTable, rows=json.dumps(dict.fromkeys(columns.split(), "x")))
    (wrong,) = problems(draw("rows -> made", rows=table, made=node(ConvertFormat, **params)), tmp_path)
    assert wrong.startswith(f"Convert Format 'made' > {message}")


def test_columns_that_no_format_has_are_named_in_the_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no known format has the columns 'a'"):
        made([{"a": 1}], tmp_path, is_known=False)
