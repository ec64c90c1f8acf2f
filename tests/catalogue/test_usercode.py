"""Python of the user's own: looked into, never run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ryven_llm_nodes.catalogue.usercode import CodeError, read_code, signature_complaint

PLAIN = "def reward(completions, **kwargs):\n    return [1.0 for _ in completions]\n"


class TestWhichFunction:
    def test_the_last_public_one(self) -> None:
        code = read_code("def first(): ...\ndef second(): ...\ndef _helper(): ...\n")
        assert code.function.name == "second"

    def test_a_private_one_where_there_is_no_other(self) -> None:
        assert read_code("def _only(): ...").function.name == "_only"

    def test_the_one_that_is_named(self) -> None:
        assert read_code("def first(): ...\ndef second(): ...", "first").function.name == "first"

    def test_async(self) -> None:
        assert read_code("async def reward(completions, **kwargs): ...").is_async
        assert not read_code(PLAIN).is_async

    def test_a_method_is_none(self) -> None:
        with pytest.raises(CodeError, match="defines no function"):
            read_code("class Reward:\n    def reward(self): ...")


class TestNames:
    def test_what_is_bound_at_the_top_level(self) -> None:
        code = read_code(
            "import os, json as j\nfrom math import sqrt\nLIMIT: int = 3\na, (b, *c) = 1, (2,)\n"
            "if a:\n    def inner(): local = 1\nfor i in []: pass\nclass K: field = 1\n" + PLAIN
        )
        assert code.names == {"LIMIT", "a", "b", "c", "inner", "i", "K", "reward"}
        assert code.imported == {"os", "j", "sqrt"}


class TestRenaming:
    def test_the_function_is_called_after_its_node(self) -> None:
        code = read_code(PLAIN).named("brief")
        assert code.function.name == "brief"
        assert code.text == PLAIN.replace("reward", "brief").strip("\n")
        assert code.names == {"brief"}

    def test_async_function(self) -> None:
        assert (
            read_code("async  def reward(completions, **kw): ...").named("brief").text.startswith("async  def brief(")
        )

    @pytest.mark.parametrize(
        "text",
        [
            "def reward(n, **kw):\n    return reward(n)",  # calls itself
            "brief = 1\n" + PLAIN,  # the new name is taken
            "import brief\n" + PLAIN,
            "def reward(reward, **kw): ...",
        ],
    )
    def test_not_where_that_could_change_its_meaning(self, text: str) -> None:
        assert read_code(text).named("brief").text == text.strip("\n")

    def test_names_in_text_and_comments_stay(self) -> None:
        code = read_code('# reward\ndef reward(completions, **kw):\n    return "reward"').named("brief")
        assert code.text == '# reward\ndef brief(completions, **kw):\n    return "reward"'

    def test_unusual_layout(self) -> None:
        code = read_code("x = '😀'; y = 1\n\x0cdef \\\n   reward(c, **kw): ...").named("brief")
        assert code.text == "x = '😀'; y = 1\n\x0cdef \\\n   brief(c, **kw): ..."


class TestComplaints:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("def reward(:", r"syntax error in line 1: .*'def reward\(:'"),
            ("x = 1\n  y = 2", "syntax error in line 2: unexpected indent"),
            ("\n\r\n\nx = 1\n  y = 2", "syntax error in line 5: unexpected indent: 'y = 2'"),
            ("\n\nif __name__ == '__main__':\n    pass\n", "line 3: tests for '__main__'"),
            ("return 1\n" + PLAIN, "syntax error in line 1: 'return' outside function"),
            ("await x\n" + PLAIN, "syntax error in line 1"),
            ("def reward(a, a, **kw): ...", "syntax error in line 1: duplicate argument"),
            ("", "defines no function; write `def reward"),
            ("reward = lambda completions, **kwargs: [1.0]", "defines no function"),
            ("from __future__ import annotations\n" + PLAIN, "imports from __future__.*remove that line"),
            ("from math import *\n" + PLAIN, r"imports \*.*name what you import"),
            ("# /// script\n# dependencies = []\n# ///\n" + PLAIN, "contains a `# /// script` block"),
            (PLAIN + "\0", "null bytes"),
            ("\ufeff" + PLAIN, "syntax error in line 1"),
            ("x = '\ud800'\n" + PLAIN, "cannot be parsed|syntax error"),
            ("x = " + "(" * 500 + ")" * 500, "too many nested|cannot be parsed"),
            ("x = " + "9" * 5000 + "\n" + PLAIN, "line 1|cannot be parsed"),
        ],
    )
    def test_message(self, text: str, message: str) -> None:
        with pytest.raises(CodeError, match=message):
            read_code(text)

    def test_a_wrong_name_gets_a_suggestion(self) -> None:
        with pytest.raises(CodeError, match=r"defines no function 'rewards'\. Did you mean 'reward'\?"):
            read_code(PLAIN, "rewards")

    def test_a_function_must_take_everything_by_name(self) -> None:
        assert "must accept **kwargs" in str(signature_complaint(read_code("def f(completions): ...").function))
        assert "positional-only" in str(signature_complaint(read_code("def f(c, /, **kw): ...").function))
        assert signature_complaint(read_code(PLAIN).function) is None


def test_line_ends_of_other_systems() -> None:
    assert read_code(PLAIN.replace("\n", "\r\n")).text == read_code(PLAIN).text
    assert read_code(PLAIN.replace("\n", "\r")).text == read_code(PLAIN).text


@given(st.text(st.characters()) | st.text("def reward(c, **k):\n '\"\\#\x00\x0c{}"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        code = read_code(text)
    except CodeError as error:
        assert str(error)  # noqa: PT017
    else:
        compile(code.named("brief").text, "<code>", "exec")
