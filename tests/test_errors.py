"""Messages: one line, bearable length, and where the problem is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ryven_llm_nodes.errors import (
    FlowError,
    LLMNodesError,
    Problem,
    StageError,
    UsageError,
    one_line,
    shown,
    suggestion,
)


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("is wrong.", "DPO 'align'", "beta"), "DPO 'align' > beta: is wrong."),
        (Problem("is wrong.", "DPO 'align'"), "DPO 'align': is wrong."),
        (Problem("is wrong."), "is wrong."),
        (Problem("a\n  b\r\n\tc\x0bd\u2028e", "f.json"), "f.json: a b c d e"),
    ],
)
def test_a_problem_is_a_line(problem: Problem, line: str) -> None:
    assert str(problem) == line


def test_a_flow_error_shows_all_problems() -> None:
    error = FlowError([Problem("one.", "A"), Problem("two.", "B")])
    assert str(error) == "A: one.\nB: two."
    assert [problem.node for problem in error.problems] == ["A", "B"]


def test_all_are_shown_as_they_are() -> None:
    errors: list[LLMNodesError] = [FlowError([]), StageError(Problem("x")), UsageError("x")]
    assert all(isinstance(error, LLMNodesError) for error in errors)
    assert str(StageError(Problem("failed.", "SFT 'a'"))) == "SFT 'a': failed."


class TestShown:
    @pytest.mark.parametrize(
        ("value", "text"),
        [("it's", '"it\'s"'), (1.5, "1.5"), (None, "None"), ("x" * 99, "'" + "x" * 56 + "..."), ("a\nb", "'a\\nb'")],
    )
    def test_value(self, value: Any, text: str) -> None:
        assert shown(value) == text

    def test_what_cannot_be_written_out(self) -> None:
        deep: Any = []
        for _ in range(100_000):
            deep = [deep]
        assert shown(10**5000) == "a whole number with too many digits"
        assert shown([10**5000]) == "a list with too many digits"
        assert shown(deep) == "a list with too many levels"

    @given(st.recursive(st.none() | st.floats() | st.integers() | st.text(st.characters()), st.lists, max_leaves=4))
    def test_any_value_is_a_short_line(self, value: Any) -> None:
        assert len(shown(value)) <= 60
        assert "\n" not in shown(value)


def test_one_line() -> None:
    assert one_line("  a \n\n b\u2029c ") == "a b c"


def test_suggestion() -> None:
    assert suggestion("learning_rat", ["seed", "learning_rate"]) == " Did you mean 'learning_rate'?"
    assert suggestion("x" * 10**5, ["seed"]) == ""
    assert suggestion("seed", []) == ""


def test_names_from_strangers_are_spelled_out() -> None:
    shown_line = str(Problem("is missing", "/tmp/\x1b[2K\u202e\ud800"))
    assert shown_line == "/tmp/\\x1b[2K\\u202e\\ud800: is missing"


def test_the_end_of_a_long_path_is_kept() -> None:
    line = str(Problem("is missing", f"/{'x' * 1000}/flow.json"))
    assert len(line) < 300
    assert line.endswith("/flow.json: is missing")
