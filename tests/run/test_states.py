"""The states of nodes, stages and runs, and their words."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.run.states import ENDS, RunState, in_words, state_in, tone_of

TONES = {"quiet", "active", "good", "warn", "bad"}


@pytest.mark.parametrize("state", RunState)
def test_every_state_can_be_shown_and_found_again(state: RunState) -> None:
    assert state.word
    assert len(state.mark) == 1
    assert state.tone in TONES
    assert state_in(state.value) is state
    assert state_in(f"{state.value} (2 of 4)") is state
    assert in_words(f"{state.value} (2 of 4)") == f"{state.word} (2 of 4)"


@pytest.mark.parametrize(
    ("status", "words", "tone"),
    [
        ("cancelled (2 of 4)", "stopped (2 of 4)", "warn"),
        ("killed (0 of 2)", "failed: killed (0 of 2)", "bad"),
        ("done", "done", "good"),
        ("not begun", "not begun", "quiet"),
        ("donee", "donee", "warn"),
        ("", "", "warn"),
    ],
)
def test_what_records_hold_is_said_in_the_words_of_the_editor(status: str, words: str, tone: str) -> None:
    assert (in_words(status), tone_of(status)) == (words, tone)


def test_what_runs_has_not_ended() -> None:
    assert [state for state in RunState if not state.is_end] == [
        RunState.READY,
        RunState.WRONG,
        RunState.STALE,
        RunState.RESUMABLE,
        RunState.RUNNING,
        RunState.NOT_BEGUN,
    ]
    assert all(state.is_end for state in ENDS)
