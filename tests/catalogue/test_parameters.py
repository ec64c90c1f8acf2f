"""What a declared parameter accepts, refuses, and reads from a command line."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ryven_llm_nodes.catalogue.parameters import LARGEST_INT, Parameter, choice, flag, is_plain, number, text, whole

HUGE = 10**5000
HUGE_CASE = pytest.param(HUGE, id="huge")  # pytest cannot write it out either
ANY = Parameter(name="x", types=(bool, int, float, str, list, dict, type(None)))
WORDS = {"": None, "none": None, "None": None, "True": True, "False": False}


def _json(text: str) -> Any:
    """``text`` read as JSON; itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def nested(depth: int) -> Any:
    """A list in a list in a list..."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


class TestTypes:
    @pytest.mark.parametrize("value", [1, 0, -3, LARGEST_INT, -LARGEST_INT])
    def test_whole_number(self, value: int) -> None:
        assert whole("x", 1, "").problem(value) is None

    @pytest.mark.parametrize("value", [True, False, 1.0, "1", None, [1], {}, HUGE_CASE, LARGEST_INT + 1])
    def test_no_whole_number(self, value: Any) -> None:
        assert "must be a whole number" in str(whole("x", 1, "").problem(value))

    @pytest.mark.parametrize("value", [1.5, 1, -2, 1e-300])
    def test_number(self, value: float) -> None:
        assert number("x", 1.0, "").problem(value) is None

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "1", None, HUGE_CASE])
    def test_no_number(self, value: Any) -> None:
        assert "must be a number" in str(number("x", 1.0, "").problem(value))

    @pytest.mark.parametrize("value", [1, 0, "true", None])
    def test_a_flag_is_no_number(self, value: Any) -> None:
        assert "must be true or false" in str(flag("x", True, "").problem(value))

    def test_a_whole_number_without_default_may_be_empty(self) -> None:
        assert whole("x", None, "").problem(None) is None
        assert whole("x", 1, "").problem(None) is not None

    @pytest.mark.parametrize("value", [b"x", (1,), {1}, object(), 1j])
    def test_what_json_cannot_hold(self, value: Any) -> None:
        assert ANY.problem(value) is not None

    @pytest.mark.parametrize(
        "value", [[math.nan], {"a": math.inf}, pytest.param([HUGE], id="huge"), {1: 2}, {"a": [b"x"]}, [(1,)]]
    )
    def test_what_json_cannot_hold_inside(self, value: Any) -> None:
        assert ANY.problem(value) is not None

    def test_depth_is_bounded(self) -> None:
        assert is_plain(nested(10))
        assert not is_plain(nested(30))
        assert not is_plain(nested(100_000))

    def test_a_message_about_a_monster_is_short(self) -> None:
        for monster in (HUGE, -HUGE, "x" * 10**6, [0] * 10**6, nested(100_000)):
            assert len(str(whole("x", 1, "").problem(monster))) < 150


class TestRanges:
    @pytest.mark.parametrize(
        ("bound", "good", "bad", "words"),
        [
            ({"at_least": 1}, 1, 0, "at least 1"),
            ({"above": 0}, 1e-9, 0, "greater than 0"),
            ({"at_most": 1}, 1, 1.1, "at most 1"),
            ({"below": 1}, 0.99, 1, "less than 1"),
        ],
    )
    def test_bound(self, bound: dict[str, float], good: float, bad: float, words: str) -> None:
        parameter = number("x", 1.0, "", **bound)
        assert parameter.problem(good) is None
        assert parameter.problem(bad) == f"must be {words}, got {bad!r}."

    def test_a_message_ends_with_what_is_usual(self) -> None:
        wrong = number("beta", 0.1, "", above=0, typical="0.1 to 0.5").problem(-1)
        assert wrong == "must be greater than 0, got -1. Typical: 0.1 to 0.5."

    def test_choices(self) -> None:
        dtype = choice("dtype", "auto", ("auto", "float32"), "")
        assert dtype.problem("float32") is None
        assert dtype.problem("float64") == "must be one of 'auto', 'float32', got 'float64'. Did you mean 'float32'?"

    @pytest.mark.parametrize("value", ["", " ", "\n\t"])
    def test_required_text(self, value: str) -> None:
        assert text("path", "", "", required=True).problem(value) == "is empty; give a value."
        assert text("path", "", "").problem(value) is None


class TestParse:
    """From text on a command line."""

    @pytest.mark.parametrize(
        ("parameter", "given", "value"),
        [
            (number("x", 1.0, ""), "1e-5", 1e-5),
            (number("x", 1.0, ""), "3", 3),
            (whole("x", 1, ""), "3", 3),
            (whole("x", None, ""), "null", None),
            (whole("x", None, ""), "none", None),
            (whole("x", None, ""), "None", None),
            (flag("x", True, ""), "false", False),
            (flag("x", True, ""), "False", False),
            (text("x", "", ""), "3", "3"),
            (text("x", "", ""), "null", "null"),
            (text("x", "", ""), '"quoted"', '"quoted"'),
            (Parameter(name="x", types=(str, list)), "q_proj, v_proj", "q_proj, v_proj"),
            (Parameter(name="x", types=(str, list)), '["q_proj"]', ["q_proj"]),
            (Parameter(name="x", types=(str, type(None))), "12", "12"),
            (Parameter(name="x", types=(dict, type(None))), '{"a": [1]}', {"a": [1]}),
        ],
    )
    def test_value(self, parameter: Parameter, given: str, value: Any) -> None:
        parsed = parameter.parse(given)
        assert (parsed, type(parsed)) == (value, type(value))
        assert parameter.problem(parsed) is None

    @pytest.mark.parametrize(
        "given", ["__import__('os')", "1+1", "nan", "NaN", "Infinity", "1e999", "9" * 5000, "[" * 9999]
    )
    def test_nothing_is_evaluated_and_the_check_refuses_it(self, given: str) -> None:
        parameter = number("x", 1.0, "")
        assert "must be a number" in str(parameter.problem(parameter.parse(given)))

    @given(st.text())
    def test_text_stays_as_it_is(self, given: str) -> None:
        assert text("x", "", "").parse(given) == given

    @given(st.text())
    @example("NaN")
    @example('[1, {"a": null}]')
    @example("")
    def test_any_text_is_a_value_that_fits_or_itself(self, given: str) -> None:
        read = WORDS.get(given, _json(given))
        assert ANY.parse(given) == (read if ANY.problem(read) is None else given)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_the_check_never_raises(value: Any) -> None:
    for parameter in (whole("x", 1, "", at_least=0), number("x", 1.0, "", below=1), choice("x", "a", ("a",), "")):
        assert parameter.problem(value) is None or "got" in str(parameter.problem(value))
