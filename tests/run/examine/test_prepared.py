"""Rows as they will be trained: the same tokens and labels as TRL's trainer makes with the real model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flows
import pytest
import torch
import trl
from flows import node

from ryven_llm_nodes.catalogue import GRPO, SFT, ChatTemplate, LoadDataset, LoadModel
from ryven_llm_nodes.run.examine.opened import Opened, opened
from ryven_llm_nodes.run.examine.prepared import PreparedRows, TokenSequence

TEMPLATES = Path(trl.__file__).parent / "chat_templates"
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %}"
    "{% generation %} {{ m.content }}{{ eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
    "<|im_end|>\n{% endgeneration %}{% else %}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def template(name: str) -> str:
    """A chat template that marks the assistant's turns."""
    own = {"mistral": MISTRAL, "chatml": CHATML}
    return own[name] if name in own else (TEMPLATES / f"{name}_training.jinja").read_text(encoding="utf-8")


@contextmanager
def looking(folder: Path, rows: str, kind: Any = SFT, **settings: Any) -> Iterator[tuple[Opened, Any]]:
    """A trainer called ``stage`` on the rows of a file, opened."""
    wires, nodes = "base -> stage, rows -> stage", {"base": flows.BASE, "rows": node(LoadDataset, path=rows)}
    drawn = flows.draw(wires, **nodes, stage=node(kind, **{**flows.FAST, **settings}))
    with opened(flows.program(drawn, folder)) as found:
        yield found, found.program.graph.by_name["stage"]


def prepared(folder: Path, rows: str, kind: Any = SFT, count: int = 8, **settings: Any) -> PreparedRows:
    """The first rows of a file, as a trainer prepares them."""
    with looking(folder, rows, kind, **settings) as (found, stage):
        return found.prepared(stage, list(range(count)))


def pieces(found: PreparedRows, number: int, kind: str) -> str:
    """The text of the tokens of one kind."""
    sequence = found.sequences[number]
    return found.tokenizer.decode([i for i, k in zip(sequence.ids, sequence.kinds, strict=True) if k == kind])


@pytest.mark.parametrize("name", ["chatml", "llama3", "gemma", "mistral", "qwen3"])
@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        ("messages.jsonl", {}),
        ("messages.jsonl", {"assistant_only_loss": True}),
        ("turns.jsonl", {}),
        ("turns.jsonl", {"completion_only_loss": False}),
        ("messages.jsonl", {"assistant_only_loss": True, "packing": True, "max_length": 256}),
        ("turns.jsonl", {"completion_only_loss": True, "packing": True, "max_length": 256}),
    ],
    ids=["messages", "assistant-only", "turns", "all-of-turns", "assistant-only-packed", "completion-only-packed"],
)
def test_labels_are_those_of_the_real_trainer(work: Path, name: str, rows: str, settings: dict[str, Any]) -> None:
    (work / "model" / "chat_template.jinja").write_text(template(name), encoding="utf-8")
    lines = [json.loads(line) for line in (work / "messages.jsonl").read_text().splitlines()]
    turns = ({"prompt": line["messages"][:1], "completion": line["messages"][1:]} for line in lines)
    (work / "turns.jsonl").write_text("".join(json.dumps(row) + "\n" for row in turns))
    found = prepared(work, rows, **settings)
    expected = list(real_batches(work, rows, settings))
    assert [sequence.ids for sequence in found.sequences] == [ids for ids, _ in expected]
    labelled = [tuple(kind == "trained" for kind in sequence.kinds) for sequence in found.sequences]
    assert labelled == [trained for _, trained in expected]
    assert any(any(row) for row in labelled)
    assert "assistant_only_loss" not in settings or not all(all(row) for row in labelled)


def real_batches(
    folder: Path, rows: str, settings: dict[str, Any]
) -> Iterator[tuple[tuple[int, ...], tuple[bool, ...]]]:
    """Tokens, and whether each is trained, from TRL's trainer with the model itself."""
    from datasets import load_dataset

    data = load_dataset("json", data_files=str(folder / rows), split="train[:8]")
    args = trl.SFTConfig(output_dir=str(folder / "out"), use_cpu=True, bf16=False, report_to="none", **settings)
    trainer = trl.SFTTrainer(str(folder / "model"), args=args, train_dataset=data)
    for example in trainer.train_dataset:
        batch = trainer.data_collator([example])
        yield tuple(batch["input_ids"][0].tolist()), tuple((batch["labels"][0] != -100).tolist())


def test_what_is_cut_is_told_from_what_is_read(workspace: Path) -> None:
    found = prepared(workspace, "sft.jsonl", max_length=4)
    assert pieces(found, 0, "context") == "what is 0"
    assert pieces(found, 0, "trained") == " answer"
    assert pieces(found, 0, "cut") == " 0<eos>"
    assert found.sequences[0].cut == 2
    assert found.sequences[0].trained == 1
    assert found.dropped == ()


def test_what_is_cut_at_the_start(workspace: Path) -> None:
    found = prepared(workspace, "sft.jsonl", max_length=4, truncation_mode="keep_end")
    assert pieces(found, 0, "cut") == "what is"
    assert pieces(found, 0, "trained") == " answer 0<eos>"


def test_rows_that_are_dropped_are_named(work: Path) -> None:
    rows = [{"prompt": "what is 1", "completion": " answer"}, {"prompt": "what is 1 " * 9, "completion": " answer"}]
    (work / "sft.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = prepared(work, "sft.jsonl", count=2, max_length=8)
    assert found.dropped == (1,)
    assert [sequence.row for sequence in found.sequences] == [0, 1]
    assert set(found.sequences[1].kinds) == {"cut"}
    assert found.looked_at == found.total == 2


def test_both_completions_of_a_pair(workspace: Path) -> None:
    with opened(flows.program(flows.alone("dpo"), workspace)) as found:
        rows = found.prepared(found.program.graph.by_name["dpo"], [3])
    assert [(one.row, one.part) for one in rows.sequences] == [(3, "chosen"), (3, "rejected")]
    assert [pieces(rows, number, "trained") for number in (0, 1)] == [" yes<eos>", " no no<eos>"]
    assert pieces(rows, 0, "context") == "what is 3"


@pytest.mark.parametrize("file", ["chats.jsonl", "prompts.jsonl"])
def test_prompts_are_tokenized_as_for_sampling(workspace: Path, tmp_path: Path, file: str) -> None:
    from datasets import load_dataset

    drawn = flows.alone("grpo") if file == "chats.jsonl" else flows.alone("ppo")
    method = "grpo" if file == "chats.jsonl" else "ppo"
    with opened(flows.program(drawn, workspace)) as found:
        rows = found.prepared(found.program.graph.by_name[method], [0, 5])
    args = trl.GRPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none")
    data = load_dataset("json", data_files=str(workspace / file), split="train")
    reward = lambda completions, **kwargs: [0.0] * len(completions)  # noqa: E731
    trainer = trl.GRPOTrainer(str(workspace / "model"), reward, args=args, train_dataset=data)
    expected = trainer._tokenize_prompts([data[0]["prompt"], data[5]["prompt"]])[0]
    assert [list(one.ids) for one in rows.sequences] == expected
    assert {kind for one in rows.sequences for kind in one.kinds} == {"context"}
    assert GRPO.sequences == ()


def test_a_tokenizer_that_an_earlier_stage_changed(work: Path) -> None:
    (work / "other.jinja").write_text("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}")
    drawn = flows.draw(
        "base -> first, rows -> first, first -> second, rows -> second",
        base=flows.BASE,
        rows=node(LoadDataset, path="messages.jsonl"),
        first=node(SFT, **flows.FAST, chat_template_path="other.jinja"),
        second=node(SFT, **flows.FAST),
    )
    with opened(flows.program(drawn, work)) as found:
        rows = found.prepared(found.program.graph.by_name["second"], [0])
    assert rows.tokenizer.decode(rows.sequences[0].ids).startswith("[user]what is 0[assistant]answer")


def test_random_generators_are_left_alone(workspace: Path) -> None:
    """A run that looks at its rows first must draw what one draws that does not."""
    with looking(workspace, "sft.jsonl") as (found, stage):
        torch.manual_seed(5)
        expected = torch.rand(1)
        torch.manual_seed(5)
        found.prepared(stage, [0])
        assert torch.equal(torch.rand(1), expected)


def test_nothing_is_left_in_the_cache_of_the_rows(workspace: Path) -> None:
    with looking(workspace, "sft.jsonl") as (found, stage):
        files = {path for one in found.dataset(stage).cache_files for path in Path(one["filename"]).parent.iterdir()}
        found.prepared(stage, [0, 1])
        assert {path for file in files for path in file.parent.iterdir()} == files


def test_a_base_whose_tokenizer_is_broken(work: Path) -> None:
    (work / "model" / "tokenizer.json").write_text("{")
    drawn = flows.draw("", base=node(LoadModel, path="model"))
    with pytest.raises(Exception, match="cannot be loaded"), opened(flows.program(drawn, work)):
        pass


def test_counts_of_a_sequence() -> None:
    sequence = TokenSequence(0, "row", (1, 2, 3), ("context", "trained", "cut"))
    assert (sequence.trained, sequence.cut) == (1, 1)


@pytest.mark.parametrize("source", ["file", "clone"])
def test_the_template_of_a_node_before_is_the_one_that_rows_are_rendered_with(source: str, work: Path) -> None:
    own = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}"
    shutil.copytree(work / "model", work / "other")
    (work / "other" / "chat_template.jinja").write_text(own)
    path = {"file": "other/chat_template.jinja", "clone": "other"}[source]
    drawn = flows.draw(
        "base -> templated, templated -> sft, rows -> sft",
        base=flows.BASE,
        templated=flows.node(ChatTemplate, source=source, chat_template_path=path),
        rows=flows.node(LoadDataset, path="messages.jsonl"),
        sft=flows.TRAINERS["sft"],
    )
    with opened(flows.program(drawn, work)) as found:
        step = found.program.graph.by_name["sft"]
        made = found.prepared(step, [0])
        text = made.tokenizer.decode(made.sequences[0].ids)
    assert text == "[user] what is 0<eos>[assistant] answer what is 0<eos>"
