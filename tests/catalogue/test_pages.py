"""The pages of nodes."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.catalogue import ALL_NODES, DPO, GRPO, SFT, LLMNode
from ryven_llm_nodes.catalogue.pages import file_of, page_of


@pytest.mark.parametrize("node", ALL_NODES, ids=lambda node: node.stem)
def test_every_declaration_is_on_its_page(node: type[LLMNode]) -> None:
    page = page_of(node)
    assert page.startswith(f"# {node.title}\n")
    for parameter in node.all_parameters().values():
        assert f"| `{parameter.name}` |" in page
    for port in (*node.in_ports, *node.out_ports):
        assert f"| {port.label} | {port.kind}" in page
    assert "``" not in page.replace("```", "")


def test_columns_papers_and_example() -> None:
    page = page_of(DPO, "x = 1")
    assert "* `prompt` + `chosen` + `rejected`" in page
    assert "* [arXiv 2305.18290](https://arxiv.org/abs/2305.18290)" in page
    assert "```python\nx = 1\n```" in page


def test_tables_are_tables() -> None:
    """Each line has as many cells as the header, whatever stands in it."""
    for node in (SFT, GRPO):
        lines = [line for line in page_of(node).splitlines() if line.startswith("| `")]
        assert {line.replace("\\|", "").count("|") for line in lines} == {5}


def test_pages_have_names_of_their_own() -> None:
    names = [file_of(node) for node in ALL_NODES]
    assert len(set(names)) == len(names)
