"""Values to begin with, where a parameter is varied."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.catalogue.parameters import JSON, Parameter, choice, flag, number, whole
from ryven_llm_nodes.gui.sweeping.suggested import suggested


@pytest.mark.parametrize(
    ("parameter", "value", "text"),
    [
        (number("beta", 0.1, "", above=0), 0.1, "0.033,0.1,0.3"),
        (number("share", 0.5, "", at_most=1), 0.5, "0.17,0.5"),
        (whole("steps", 8, ""), 8, "4,8,16"),
        (whole("r", 1, "", at_least=1), 1, "1,2"),
        (flag("bf16", False, ""), False, "true,false"),
        (choice("how", "a", ("a", "b"), ""), "a", "a,b"),
        (number("decay", 0.0, ""), 0.0, ""),
        (whole("limit", None, ""), None, ""),
    ],
)
def test_they_are_around_the_present_one_and_valid(parameter: Parameter, value: JSON, text: str) -> None:
    assert suggested(parameter, value) == text
