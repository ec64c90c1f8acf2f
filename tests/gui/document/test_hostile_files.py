"""Spoiled flow files in the real editor: a window or a plain refusal, and nothing runs or is written meanwhile."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from guard import assert_plain, guarded
from hostile import BASES, CANARY, files
from rotation import turn

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.editor import open_window
from ryven_llm_nodes.host.opening import open_file

FILES = 20
LONGEST = 4.0  # a window takes most of a second by itself
WAYS = ("exchanged", "pickled", "led_astray", "coded", "carried")


@pytest.fixture
def look(qapp: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens a file in a window of its own, does with it what a user does before running it, and closes it again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RYVEN_LLM_STATE", str(tmp_path / "state"))

    def look_at(path: Path) -> None:
        opened = open_file(path)
        window = open_window(opened.content, qapp, opened.path)
        shell = window.llm_shell
        shell.runs.ask = lambda items: False
        qtbot.wait(20)
        if (view := shell.flows.current_view()) is not None:
            for node in view.flow.nodes[:8]:
                view.select_items([node.gui.item])
            shell.commands.check()
            qtbot.wait(100)
        shell.runs.shut_down()
        window.close()
        window.deleteLater()
        qtbot.wait(20)

    return look_at


@pytest.mark.parametrize("batch", turn(range(2), 2))
def test_every_file_is_opened_or_refused(batch: int, look: Any, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(BASES[3])
    look(tmp_path / "good.json")  # what is imported late is imported now
    windows = 0
    for what, path in files(3000 + batch, FILES, tmp_path, WAYS):
        started = time.thread_time()
        with guarded(Path(tempfile.gettempdir()), executed=("<template>",)) as guard:  # Ryven's style sheet
            try:
                look(path)
                windows += 1
            except LLMNodesError as error:
                assert_plain(str(error), what)
        assert guard.seen == [], what
        assert time.thread_time() - started < LONGEST, what
        assert not (tmp_path / CANARY).exists(), what
    assert windows >= FILES / 4
