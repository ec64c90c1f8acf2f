"""Where what belongs to the user is kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ryven_llm_nodes.system.userdirs import state_dir


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"RYVEN_LLM_STATE": "/a"}, "/a"),
        ({"XDG_STATE_HOME": "/b"}, "/b/ryven-llm"),
        ({"XDG_STATE_HOME": "relative"}, "~/.local/state/ryven-llm"),
        ({}, "~/.local/state/ryven-llm"),
    ],
)
def test_where_it_is(variables: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("RYVEN_LLM_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert state_dir() == Path(place).expanduser()
