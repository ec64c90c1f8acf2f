"""Values as literals, and the layout of calls."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ryven_llm_nodes.catalogue.cell import call, indent, layout, literal
from ryven_llm_nodes.catalogue.values import ModelValue

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters())  # lone surrogates among them
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_literal_is_its_value(value: Any) -> None:
    assert ast.literal_eval(literal(value)) == value


@given(VALUES)
def test_a_literal_stands_in_a_deep_call(value: Any) -> None:
    text = f"def f():\n{indent('return ' + call('g', x=call('h', literal(value))))}"
    (function,) = ast.parse(text).body
    inner = function.body[0].value.keywords[0].value.args[0]  # type: ignore[attr-defined]
    assert ast.literal_eval(inner) == value


@given(TEXT)
def test_a_literal_of_text_is_one_line_of_printable_characters(value: str) -> None:
    assert literal(value).isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", '"plain"'),
        ("it's", '"it\'s"'),
        ('say "x"', "'say \"x\"'"),
        ("both ' and \"", "'both \\' and \"'"),
        ("a\\b", '"a\\\\b"'),
        ("two\nlines", '"two\\nlines"'),
        ("😀 é", '"😀 é"'),
        ("\ud800\u2028\x0c\0", '"\\ud800\\u2028\\x0c\\x00"'),
        ([1, "a"], '[1, "a"]'),
        ({"a": None}, '{"a": None}'),
        (5e-5, "5e-5"),
        (True, "True"),
    ],
)
def test_quotes_are_double_where_they_can_be(value: Any, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), pytest.param(10**5000, id="huge")])
def test_what_has_no_literal_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        literal(value)


def test_a_long_call_takes_a_line_an_argument() -> None:
    assert call("f", "1", x="2") == "f(1, x=2)"
    assert call("f", "a" * 60, x="b" * 60) == f"f(\n    {'a' * 60},\n    x={'b' * 60},\n)"
    assert layout("[", ["1", "2"], "]", width=0) == "[\n    1,\n    2,\n]"


def test_blank_lines_are_not_indented() -> None:
    assert indent("a\n\nb") == "    a\n\n    b"


def test_a_models_loading_arguments() -> None:
    assert ModelValue(expression="m", init={"dtype": "auto"}, revision="v1").init_kwargs == {
        "dtype": "auto",
        "revision": "v1",
    }
    assert ModelValue(expression="m").init_kwargs == {}
