"""``ryven-llm preview``: what a user reads of rows in a terminal."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import flows
import pytest
from rich.console import Console

from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.terminal.preview import show_preview


def shown(folder: Path, name: str, row: str | None = None, as_json: bool = False, **settings: object) -> str:
    """What is printed for a node of the chain, whose SFT has ``settings``."""
    drawn = flows.alone("sft", **settings) if settings else flows.chain()
    program = flows.program(drawn, folder)
    console = Console(file=StringIO(), soft_wrap=True, width=100)
    show_preview(program, program.graph.by_name[name], row, as_json, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_dataset(workspace: Path) -> None:
    text = shown(workspace, "dpo_rows")
    assert text.startswith("Load Dataset 'dpo_rows': 16 rows; preference, standard\n")
    assert "row 3\n  prompt: what is 2\n  chosen:  yes\n  rejected:  no no\n" in text
    assert "row 4" not in text
    assert "row 8\n  prompt: what is 7" in shown(workspace, "dpo_rows", "8")


def test_what_is_trained_read_and_cut(workspace: Path) -> None:
    text = shown(workspace, "sft", "4", max_length=5)
    assert "16 rows are longer than max_length, and are cut" in text
    assert "\nrow 4\n" in text
    assert "what is 3[[ answer 3]]{{<eos>}}" in text
    assert "tokens a sequence: median 6, at most 6" in text


def test_both_completions_of_a_pair(workspace: Path) -> None:
    text = shown(workspace, "dpo", "2")
    assert "chosen:\nwhat is 1[[ yes<eos>]]\nrejected:\nwhat is 1[[ no no<eos>]]\n" in text


def test_as_json_every_token_has_its_id(workspace: Path) -> None:
    overview, row = json.loads(shown(workspace, "sft", "1", as_json=True))
    assert overview["total"] == 16
    (part, made), *_ = row["sequences"]
    assert part == "row"
    assert "".join(piece["text"] for piece in made) == "what is 0 answer 0<eos>"
    assert all(len(piece["ids"]) == 1 for piece in made)


def test_what_has_no_rows(workspace: Path) -> None:
    with pytest.raises(FlowError, match="Load Model 'base': has no rows to look at; choose a dataset or a trainer"):
        shown(workspace, "base")
