"""The page of a comparison: complete, closed, and with nothing that is loaded from elsewhere."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ryven_llm_nodes.run.comparing.comparison import comparison_of
from ryven_llm_nodes.run.comparing.found import evaluations_at
from ryven_llm_nodes.run.comparing.page import page, prompt_text

EMPTY = {"meta", "br", "circle", "line", "rect"}


class Reader(HTMLParser):
    """The text of a page by the id of its section; fails where an element is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.texts: dict[str, str] = {}
        self.links: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [name for name in ("src", "href", "action") if name in given]
        if tag not in EMPTY:
            self.open.append((tag, given.get("id") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] == "script":
            return
        section = next((name for _, name in reversed(self.open) if name), "head")
        self.texts[section] = f"{self.texts.get(section, '')} {data}"


@pytest.fixture(scope="module")
def text(outputs: Path) -> str:
    return (outputs / "table" / "report.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(text: str) -> None:
    assert Reader(text).links == []
    assert not re.search(r"https?://|@import|url\(|<script[^>]*src|<link", text)


def test_the_page_names_nothing_of_the_machine_but_its_kind(text: str, outputs: Path, workspace: Path) -> None:
    assert str(outputs.parent) not in text
    assert str(workspace) not in text
    assert "betas/" in text


def test_what_the_page_tells(text: str) -> None:
    told = Reader(text).texts
    assert "Two betas" in told["head"]
    assert "base → sft → low" in told["head"]
    assert "Holm 1979" in told["results"]
    assert "loss: difference from baseline" in told["results"]
    assert "Training loss of DPO" in told["curves"]
    assert {"sft", "low", "high"} <= set(re.findall(r"\w+", told["curves"]))
    assert "what is 0" in told["completions"]
    assert told["completions"].count("of_high") == 16
    assert re.search(r"low +DPO, for of_low.*beta\s+0\.05", told["settings"], re.DOTALL)
    assert "sft.jsonl" in told["provenance"]
    assert re.search(r"\b[0-9a-f]{64}\b", told["provenance"])
    assert "transformers" in told["provenance"]


def test_what_a_model_wrote_is_text(outputs: Path, tmp_path: Path) -> None:
    report = json.loads((outputs / "of_low" / "report.json").read_text())
    report["model"]["completions"][0] = "<script>alert(1)</script>"
    report["prompts"][0] = "</style><b>&"
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "report.json").write_text(json.dumps(report))
    made = page(comparison_of(evaluations_at([tmp_path / "evil"])))
    assert "<script>alert" not in made
    told = Reader(made).texts
    assert "<script>alert(1)</script>" in told["completions"]
    assert "There is no record of the run of evil" in told["head"]


def test_a_model_without_samples_or_baseline(outputs: Path, tmp_path: Path) -> None:
    report = json.loads((outputs / "of_low" / "report.json").read_text())
    report = {"rows": 16, "prompts": [], "model": {"loss": report["model"]["loss"]}}
    folder = tmp_path / "alone"
    shutil.copytree(outputs / "of_low", folder, ignore=lambda *_: ["stage.json"])
    (folder / "report.json").write_text(json.dumps(report))
    told = Reader(page(comparison_of(evaluations_at([folder])))).texts
    assert set(told) == {"head", "results"}


def test_a_prompt_is_shown_without_the_system_message() -> None:
    said = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]
    assert prompt_text(said) == "hello"
    assert prompt_text("plain") == "plain"
