"""A flow for data: what is detected, and that the flow can run as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.catalogue import DPO, GRPO, KTO, SFT
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.importing.data import Started, fitting_settings, from_data
from ryven_llm_nodes.program import Graph, Program, build
from ryven_llm_nodes.program.project import graph_of_project
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.examine.check import checked

USER, BOT = {"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day to you"}
KINDS: Mapping[str, tuple[Mapping[str, Any], Any, list[str]]] = {
    "messages": ({"messages": [USER, BOT]}, SFT, []),
    "text": ({"text": "a long text"}, SFT, []),
    "completions": ({"prompt": "hello", "completion": "good day to you"}, SFT, []),
    "questions": ({"question": "what is it", "answer": "it is what one would think it is"}, SFT, ["Convert Format"]),
    "alpaca": ({"instruction": "say", "input": "", "output": "it is said"}, SFT, ["Convert Format"]),
    "sharegpt": ({"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "you"}]}, SFT,
                 ["Convert Format"]),
    "pairs": ({"prompt": "hello", "chosen": "good day", "rejected": "no"}, DPO, []),
    "other pairs": ({"question": "hello", "chosen": "good day", "rejected": "no"}, DPO, ["Convert Format"]),
    "dialogues": ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}, DPO,
                  ["Convert Format"]),
    "labelled": ({"prompt": "hello", "completion": "good day", "label": True}, KTO, []),
    "answers": ({"question": "one and one", "answer": "2"}, GRPO, ["Map Columns"]),
    "solutions": ({"prompt": "one and one", "solution": "2"}, GRPO, []),
    "prompts": ({"prompt": "hello"}, GRPO, []),
}  # fmt: skip


def write(folder: Path, row: Mapping[str, Any], count: int = 32, name: str = "rows.jsonl") -> Path:
    file = folder / name
    rows = [{**row, "label": i % 2 == 0} if "label" in row else row for i in range(count)]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return file


def program(started: Started, folder: Path) -> Program:
    return build(graph(started, folder))


def graph(started: Started, folder: Path) -> Graph:
    return graph_of_project(started.project, folder)


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name: str, data: Path, tmp_path: Path) -> None:
    row, method, prepared = KINDS[name]
    started = from_data([write(tmp_path, row), data / "model"], tmp_path)
    steps = program(started, tmp_path).steps
    assert [step.node for step in steps if step.node.is_stage] == [method]
    assert [step.node.title for step in steps if step.node.accent == "dataset"] == ["Load Dataset", *prepared]
    assert len(started.says) == 2
    assert method.stem.upper() in started.says[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["messages", "questions", "sharegpt", "other pairs", "labelled", "answers"])
def test_the_flow_has_no_findings(name: str, workspace: Path, tmp_path: Path) -> None:
    row, *_ = KINDS[name]
    made = program(from_data([write(tmp_path, row), workspace / "model"], tmp_path), tmp_path)
    assert [str(one) for one in checked(made, tmp_path / "out", []) if one.weight == "error"] == []


@pytest.mark.slow
def test_the_flow_runs(workspace: Path, tmp_path: Path) -> None:
    write(tmp_path, KINDS["alpaca"][0], 8)
    made = program(from_data([tmp_path / "rows.jsonl", workspace / "model"], tmp_path), tmp_path)
    outcome = run_program(made, tmp_path / "out")
    assert outcome.error is None, outcome.error
    assert (tmp_path / "out" / "final-model" / "model.safetensors").is_file()


def test_several_files_follow_each_other(data: Path, tmp_path: Path) -> None:
    """Those of a kind are joined; then pairs refine what was fine-tuned."""
    files = [write(tmp_path, KINDS[name][0], name=f"{name}.jsonl") for name in ("pairs", "text")]
    files.append(write(tmp_path, KINDS["text"][0], name="more.jsonl"))
    steps = graph(from_data([*files, data / "model"], tmp_path), tmp_path).by_name
    assert steps["dpo"].wires["model"].step == "sft"
    assert steps["sft"].wires["dataset"].step == "mixed"
    assert steps["saved_model"].wires["model"].step == "dpo"


def test_rows_are_held_out_where_there_are_enough(tmp_path: Path) -> None:
    steps = graph(from_data([write(tmp_path, {"text": "it"}, 100)], tmp_path), tmp_path).by_name
    assert (steps["sft"].wires["dataset"].port, steps["sft"].wires["eval_dataset"].port) == ("train", "test")
    steps = graph(from_data([write(tmp_path, {"text": "it"}, 99)], tmp_path), tmp_path).by_name
    assert "eval_dataset" not in steps["sft"].wires


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        (None, {"num_train_epochs": 1.0, "warmup_steps": 0.1}),
        (8, {"num_train_epochs": 3.0, "warmup_steps": 0.1, "per_device_train_batch_size": 2, "logging_steps": 1.0}),
        (1000, {"num_train_epochs": 3.0, "warmup_steps": 0.1}),
        (10_000, {"num_train_epochs": 1.0, "warmup_steps": 0.1}),
    ],
)
def test_settings_fit_the_number_of_rows(rows: int | None, settings: dict[str, Any]) -> None:
    assert fitting_settings(SFT, rows) == settings


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "question;answer\nwhat is one and one;2\nwhat is two and two;4\n"),
        ("rows.tsv", "question\tanswer\nwhat is one and one\t2\n"),
        ("rows.json", '[{"question": "one and one", "answer": "2"}]'),
        ("rows.json", '{"rows": [{"question": "one and one", "answer": 2}]}'),
        ("rows.json", '{"question": "one and one", "answer": 2}\n{"question": "two and two", "answer": 4}\n'),
    ],
)
def test_formats_of_files(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    steps = graph(from_data([tmp_path / name], tmp_path), tmp_path).by_name
    assert steps["exact_match"].given == {"column": "answer"}


def test_a_folder_of_files(tmp_path: Path) -> None:
    (folder := tmp_path / "rows").mkdir()
    for number in range(2):
        write(folder, KINDS["pairs"][0], 8, f"{number}.jsonl")
    steps = graph(from_data([folder], tmp_path), tmp_path).by_name
    assert steps["dataset"].given == {"path": "./rows"}
    assert steps["dpo"].node is DPO


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    write_table(pa.table({"prompt": ["one and one"] * 120, "answer": ["2"] * 120}), tmp_path / "rows.parquet")
    steps = graph(from_data([tmp_path / "rows.parquet"], tmp_path), tmp_path).by_name
    assert steps["exact_match"].given == {"column": "answer"}


def refused(paths: Sequence[Path], folder: Path) -> list[str]:
    with pytest.raises(FlowError) as error:
        from_data(paths, folder)
    return [str(problem) for problem in error.value.problems]


def test_what_cannot_be_used(tmp_path: Path) -> None:
    (nothing := tmp_path / "empty").mkdir()
    (broken := tmp_path / "broken.jsonl").write_text("{no json\n")
    (odd := tmp_path / "odd.csv").write_text("height,width\n1,2\n")
    (bytes_ := tmp_path / "bytes.csv").write_bytes(b"question,answer\n\xff\xfe,b\n")
    lines = refused([tmp_path / "none.jsonl", nothing, broken, odd, bytes_], tmp_path)
    for line, part in zip(
        lines, ("does not exist", "holds no rows", "", "'height', 'width', which no method uses", "line 2"), strict=True
    ):
        assert part in line


def test_a_model_alone(data: Path) -> None:
    (step,) = graph(from_data([data / "model"], data), data).steps
    assert (step.node.title, step.given) == ("Load Model", {"path": "./model"})


def test_files_in_words(tmp_path: Path) -> None:
    started = from_data([write(tmp_path, {"text": "it"})], tmp_path)
    assert started.says == ("./rows.jsonl: plain text, for SFT",)
    assert flows.problems(dict(started.project), tmp_path) == []
