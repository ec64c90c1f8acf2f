"""The console of a stock Ryven as the standard output of a training."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from ryven_llm_nodes.host.console import output_is_a_stream


@pytest.fixture
def redirected(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    """Ryven's stand-in for stderr with the workaround, and what its console was told."""
    monkeypatch.setenv("QT_API", "pyside6")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from ryven.gui import main_console

    told: list[str] = []
    monkeypatch.setattr(main_console.MainConsole, "instance", SimpleNamespace(write=None, errorwrite=told.append))
    plain = type("RedirectOutput", (), dict(main_console.RedirectOutput.__dict__))
    monkeypatch.setattr(main_console, "RedirectOutput", plain)
    output_is_a_stream()
    return plain(main_console.MainConsole.instance.errorwrite), told


def test_libraries_can_write_their_progress_to_it(redirected: tuple[Any, list[str]]) -> None:
    from tqdm import tqdm

    stream, told = redirected
    print("a line", file=stream, flush=True)
    assert list(tqdm([1, 2], file=stream)) == [1, 2]
    assert "a line" in told
    assert any("2/2" in text for text in told)


def test_the_widget_is_left_to_the_main_thread(redirected: tuple[Any, list[str]], capfd: Any) -> None:
    stream, told = redirected
    thread = threading.Thread(target=lambda: print("from a training", file=stream))
    thread.start()
    thread.join()
    sys.__stderr__.flush()
    assert told == []
    assert capfd.readouterr().err == "from a training\n"
