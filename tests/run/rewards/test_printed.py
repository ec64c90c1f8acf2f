"""What code prints is kept up to a limit."""

from __future__ import annotations

from contextlib import redirect_stdout

from ryven_llm_nodes.run.rewards.printed import MOST, Printed


def test_the_beginning_is_kept_and_the_rest_counted() -> None:
    printed = Printed()
    with redirect_stdout(printed):
        print("a" * (MOST - 10))
        print("b" * 9)
        print("c" * 2000)
    assert printed.text == "a" * (MOST - 10) + "\n" + "b" * 9 + "\n... and 2,002 more characters"


def test_nothing_is_nothing() -> None:
    assert Printed().text == ""
