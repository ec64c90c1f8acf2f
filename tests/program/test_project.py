"""Projects that are written without a mouse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flows import BASE, alone, chain, draw, graph, node, save

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.program import read_flow
from ryven_llm_nodes.program.project import Placement, project


@pytest.mark.parametrize("drawn", [alone("sft"), chain(lora=True)], ids=["sft", "chain"])
def test_what_is_written_is_read(drawn: Any, tmp_path: Path) -> None:
    assert read_flow(save(drawn, tmp_path / "f.json")).digest == graph(drawn, tmp_path).digest


def test_text_that_is_no_unicode_survives(tmp_path: Path) -> None:
    drawn = draw(title="t\ud800", m=node(LoadModel, path="😀\udfff\u2028\0\"'\\"))
    found = read_flow(save(drawn, tmp_path / "f.json"))
    assert found.title == "t\ud800"
    assert found.by_name["m"].given["path"] == "😀\udfff\u2028\0\"'\\"
    assert "😀" in (tmp_path / "f.json").read_text(encoding="utf-8")


def test_ryven_opens_it(tmp_path: Path) -> None:
    from ryven_llm_nodes.host.session import open_project

    (flow,) = open_project(save(chain(lora=True), tmp_path / "f.json")).flows
    assert len(flow.nodes) == len(chain(lora=True)["flows"]["chain"]["nodes"])
    assert sum(len(outputs) for outputs in flow.graph_adj.values()) == len(
        chain(lora=True)["flows"]["chain"]["connections"]
    )


@pytest.mark.parametrize("wire", ["none.model -> sft.model", "base.none -> sft.model", "base.model -> sft.none"])
def test_a_wire_of_nothing(wire: str) -> None:
    with pytest.raises(KeyError):
        project("t", [Placement("base", LoadModel), Placement("sft", SFT)], [wire])


def test_a_project_is_json_with_names_as_they_are(tmp_path: Path) -> None:
    text = save(draw(title="Ü", Ä=BASE), tmp_path / "f.json").read_text(encoding="utf-8")
    assert '"Ü"' in text
    assert json.loads(text)["flows"]["Ü"]["nodes"][0]["additional data"]["name"] == "Ä"
