"""The run log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QGuiApplication, QTextBlock, QTextCursor

from ryven_llm_nodes.gui.log.view import MOST_LINES, LogView
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.style.colours import BAD, WARN
from ryven_llm_nodes.run.events import (
    Log,
    RunFinished,
    RunStarted,
    StageFailed,
    StageFinished,
    StageStarted,
    Warned,
)

TRACE = 'Traceback (most recent call last):\n  File "a.py", line 3, in train\nValueError: no such column'


@pytest.fixture
def model() -> RunModel:
    return RunModel()


@pytest.fixture
def view(model: RunModel, qtbot: Any) -> LogView:
    view = LogView(model)
    qtbot.addWidget(view)
    view.resize(600, 200)
    view.show()
    qtbot.waitExposed(view)
    return view


@pytest.fixture
def post(model: RunModel, view: LogView, qtbot: Any) -> Callable[..., None]:
    def post_all(*events: Any) -> None:
        for event in events:
            model.post(event)
        qtbot.wait(10)
        view.flush()

    return post_all


def lines(view: LogView) -> list[str]:
    return [line[10:] for line in view.text().split("\n")]


def block_of(view: LogView, text: str) -> QTextBlock:
    block = view.page.document().begin()
    while block.isValid() and text not in block.text():
        block = block.next()
    assert block.isValid(), text
    return block


def char_colour(block: QTextBlock) -> QColor:
    pieces = [piece.fragment() for piece in block]
    return pieces[-1].charFormat().foreground().color()


def test_a_run_is_told_from_start_to_end(view: LogView, post: Any) -> None:
    post(RunStarted("", ("sft", "dpo")), Log("", "loading torch"), StageStarted("sft"), StageStarted("sft"))
    post(StageFinished("sft", "out/sft", 12.0), RunFinished("", "done", {}, 75.0))
    assert lines(view) == [
        "── run: sft → dpo",
        "loading torch",
        "▶ sft",
        "✓ sft: done → out/sft",
        "── done after 1 min 15 s",
    ]
    first = view.text().split("\n")[0]
    assert (first[2], first[5], first[8:10]) == (":", ":", "  ")


def test_a_warning_has_a_colour_of_its_own(view: LogView, post: Any) -> None:
    post(RunStarted("", ("sft",)), Warned("sft", "warmup_steps", "SFT 'sft' > warmup_steps: too long."))
    assert lines(view)[1] == "! SFT 'sft' > warmup_steps: too long."
    assert char_colour(block_of(view, "!")) == QColor(WARN)


def test_an_error_is_red_and_its_traceback_is_folded(view: LogView, post: Any) -> None:
    post(RunStarted("", ("sft",)), StageStarted("sft"))
    post(StageFailed("sft", "SFT 'sft': no such column", TRACE), Log("", "later"), RunFinished("", "failed", {}, 1.0))
    assert lines(view)[2:5] == ["✗ SFT 'sft': no such column", "▸ 3 lines of traceback", "    " + TRACE.split("\n")[0]]
    assert sum("no such column" in line and "✗" in line for line in lines(view)) == 1
    assert char_colour(block_of(view, "✗")) == QColor(BAD)
    assert not block_of(view, "File").isVisible()
    assert block_of(view, "later").isVisible()
    head = block_of(view, "▸")
    view.page.toggle(head)
    assert block_of(view, "File").isVisible()
    assert "▾ 3 lines" in view.text()
    view.page.toggle(block_of(view, "▾"))
    assert not block_of(view, "ValueError: no").isVisible()


def test_a_click_unfolds(view: LogView, post: Any, qtbot: Any) -> None:
    from qtpy.QtCore import QPoint, Qt

    post(Log("", TRACE))
    head = block_of(view, "▸")
    box = view.page.blockBoundingGeometry(head).translated(view.page.contentOffset())
    where = QPoint(100, int(box.center().y()))
    qtbot.mouseClick(view.page.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert block_of(view, "File").isVisible()


def test_an_error_outside_of_a_stage_is_named_by_its_last_line(view: LogView, post: Any) -> None:
    post(Log("", TRACE))
    assert lines(view)[0] == "✗ ValueError: no such column"


def test_what_only_a_terminal_understands_is_gone(view: LogView, post: Any) -> None:
    post(Log("", "\x1b[31mred\x1b[0m and \x07bell"), Log("", "10%|#  |\r 100%|###|"), Log("", "two\nlines\n"))
    assert lines(view) == ["red and bell", " 100%|###|", "two", "lines"]


def test_the_tail_is_followed_unless_scrolled_up(view: LogView, qtbot: Any) -> None:
    bar = view.page.verticalScrollBar()
    for number in range(100):
        view.add(f"line {number}")
    view.flush()
    assert bar.value() == bar.maximum() > 0
    view.add("one more")
    view.flush()
    assert bar.value() == bar.maximum()
    bar.setValue(20)
    for number in range(50):
        view.add(f"more {number}")
    view.flush()
    assert bar.value() == 20
    bar.setValue(bar.maximum())
    view.add("the last")
    view.flush()
    assert bar.value() == bar.maximum()


def test_at_most_twenty_thousand_lines(view: LogView) -> None:
    for number in range(MOST_LINES + 500):
        view.add(f"line {number}")
        if number == 700:
            view.flush()
    kept = lines(view)
    assert len(kept) == MOST_LINES
    assert (kept[0], kept[-1]) == ("line 500", f"line {MOST_LINES + 499}")


def test_many_lines_are_few_changes_of_the_page(view: LogView, model: RunModel, qtbot: Any) -> None:
    changes: list[int] = []
    append = view.page.append_lines
    view.page.append_lines = lambda lines: (changes.append(len(lines)), append(lines))
    for number in range(2_500):
        model.post(Log("", f"line {number}"))
    qtbot.waitUntil(lambda: sum(changes) == 2_500)
    assert len(changes) <= 6
    assert max(changes) <= 1_000


def test_search_counts_finds_and_unfolds(view: LogView, post: Any, qtbot: Any) -> None:
    post(Log("", "alpha one"), Log("", TRACE), Log("", "alpha two"))
    qtbot.keyClicks(view.search, "alpha")
    assert view.found.text() == "2 found"
    assert view.page.textCursor().block().text().endswith("alpha one")
    assert view.find_next()
    assert view.page.textCursor().block().text().endswith("alpha two")
    assert view.find_next()
    assert view.page.textCursor().block().text().endswith("alpha one")
    view.search.setText("a.py")
    assert block_of(view, "a.py").isVisible()
    view.search.setText("nowhere")
    assert view.found.text() == "0 found"
    assert not view.find_next()


def test_copy_takes_the_selection_or_everything(view: LogView, post: Any) -> None:
    post(Log("", "one"), Log("", "two"))
    view.copy_button.click()
    assert QGuiApplication.clipboard().text() == view.text()
    view.search.setText("two")
    view.copy_button.click()
    assert QGuiApplication.clipboard().text() == "two"


def test_clear(view: LogView, post: Any) -> None:
    post(Log("", "one"))
    view.add("waiting")
    view.clear_button.click()
    assert view.text() == ""
    post(Log("", "new"))
    assert lines(view) == ["new"]


def test_long_lines_are_wrapped(view: LogView) -> None:
    view.add("word " * 100)
    view.flush()
    assert view.page.horizontalScrollBar().maximum() == 0
    assert block_of(view, "word").layout().lineCount() > 2


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("DPO 'dpo' > dataset: column 'chosen' has no value", ("dpo", "dataset")),
        ("! SFT 'sft': it is slow", ("sft", "")),
        ("sft: it is slow", ("sft", "")),
        ("\u25b6 dpo", ("dpo", "")),
        ("the dpo of another flow", None),
        ("grpo: not of this flow", None),
    ],
)
def test_a_line_about_a_step_leads_to_it(line: str, place: Any, model: RunModel, qtbot: Any) -> None:
    view = LogView(model, {"sft", "dpo", "chosen"}.__contains__)
    qtbot.addWidget(view)
    view.resize(600, 200)
    view.show()
    qtbot.waitExposed(view)
    seen: list[Any] = []
    view.chosen.connect(lambda *found: seen.append(found))
    view.add(line)
    view.flush()
    at = view.page.cursorRect(QTextCursor(block_of(view, line))).center()
    qtbot.mouseClick(view.page.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert seen == ([place] if place else [])
