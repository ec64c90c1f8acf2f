"""First sentences of documentation strings."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ryven_llm_nodes.demo.docs import WORDS, Item, documented_items, summarize


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("Return the name of a file. It is short.", "Return the name of a file."),
        ("  Join two\n  lines into one line\n\n  More.", "Join two lines into one line."),
        ("join(a, b) -> str\n\njoin two texts into one text.", "Join two texts into one text."),
        ("Use a unit, e.g. seconds, to say how long.", "Use a unit, e.g. seconds, to say how long."),
    ],
)
def test_the_first_sentence_is_taken(text, summary):
    assert summarize(text) == summary


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Too short.",
        "See `x` >>> 1 for the way to do it",
        "Return a list (of names that",
        "word " * (WORDS[1] + 1),
    ],
)
def test_what_does_not_read_as_one_sentence_is_left_out(text):
    assert summarize(text) is None


def test_an_item_knows_where_it_is_found():
    item = Item("os.path.join", "function", "Join paths.")
    assert (item.module, item.topic) == ("os.path", "join")


def test_items_are_many_and_each_is_the_only_one_of_its_kind():
    items = documented_items()
    assert len(items) > 800
    assert items == sorted(items)
    assert len({item.summary.lower() for item in items}) == len(items)
    assert len({item.topic.lower() for item in items}) == len(items)
    assert all(WORDS[0] <= len(item.summary.split()) <= WORDS[1] for item in items)


def test_they_are_the_same_whatever_was_imported_before() -> None:
    """torch replaces functions of the standard library; the demo's rows, and what it gains on them, must not differ."""
    code = "from ryven_llm_nodes.demo.docs import documented_items; print(documented_items())"
    programs = (code, f"import torch, transformers, datasets, trl, peft; {code}")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [subprocess.run([sys.executable, "-c", p], env=env, capture_output=True, text=True) for p in programs]
    assert [run.returncode for run in runs] == [0, 0]
    first, second = (run.stdout for run in runs)
    assert len(first) > 10_000
    assert first == second
