"""What the user has chosen is there after a restart."""

from __future__ import annotations

from ryven_llm_nodes.gui.state import preferences


def test_choices_are_kept_one_by_one() -> None:
    assert preferences.read("a") is None
    preferences.keep("a", True)
    preferences.keep("b", [1])
    assert (preferences.read("a"), preferences.read("b")) == (True, [1])


def test_a_torn_file_is_no_choice() -> None:
    preferences.file().write_text("[1")
    assert preferences.read("a") is None
    preferences.keep("a", 1)
    assert preferences.read("a") == 1
