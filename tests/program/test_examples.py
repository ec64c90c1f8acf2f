"""The examples of nodes."""

from __future__ import annotations

import ast

import pytest

from ryven_llm_nodes.catalogue import ALL_NODES, GRPO, LLMNode
from ryven_llm_nodes.program.examples import example_of

WITHOUT = {
    *("Inline Table", "Filter", "Chat Template", "Compare", "Export Script"),
    *("Reward Model", "Import Model", "Combine Rewards", "Threshold", "Sweep"),
}
"""Nodes that need values of their own, or add nothing to a script."""


@pytest.mark.parametrize("node", ALL_NODES, ids=lambda node: node.stem)
def test_an_example_is_python(node: type[LLMNode]) -> None:
    text = example_of(node)
    ast.parse(text)
    assert bool(text) or node.title in WITHOUT


def test_a_trainer() -> None:
    text = example_of(GRPO)
    assert "def grpo_config(" in text
    assert 'pipeline.train(\n    "grpo"' in text
