"""The colours of states, and text that is shown as rich text."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.gui.style.colours import BAD, MUTED, WARN
from ryven_llm_nodes.gui.style.rich_text import bold, coloured
from ryven_llm_nodes.gui.style.states import TONES, state_colour
from ryven_llm_nodes.run.states import RunState


@pytest.mark.parametrize("state", RunState)
def test_every_state_has_a_colour(state: RunState) -> None:
    assert state_colour(state) == TONES[state.tone]


def test_a_status_of_a_record_has_the_colour_of_its_state() -> None:
    assert state_colour("failed (4 of 9)") == BAD
    assert state_colour("not begun") == MUTED
    assert state_colour("of another version") == WARN


def test_text_of_users_is_escaped() -> None:
    assert coloured("<b>'&\"", BAD) == f'<span style="color: {BAD}">&lt;b&gt;&#x27;&amp;&quot;</span>'
    assert "<i>" not in bold("<i>")
