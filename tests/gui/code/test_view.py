"""The code view and its colours."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

from ryven_llm_nodes.gui.code.highlight import COLOURS, spans
from ryven_llm_nodes.gui.code.view import CodeView, lines_in
from ryven_llm_nodes.gui.style.colours import BAD


def kinds(line: str, state: int = 0) -> dict[str, str]:
    return {line[start : start + length]: kind for start, length, kind in spans(line, state)[0]}


@pytest.mark.parametrize(
    ("line", "piece", "kind"),
    [
        ("x = 'a # b'  # c", "'a # b'", "string"),
        ("x = 'a # b'  # c", "# c", "comment"),
        ("def reward(x):", "reward", "definition"),
        ("def reward(x):", "def", "keyword"),
        ("@torch.no_grad()", "@torch", "decorator"),
        ("lr = 1e-5", "1e-5", "number"),
        ("n = 0xFF", "0xFF", "number"),
        ("return len(x)", "return", "keyword"),
        ("return len(x)", "len", "builtin"),
        ("call(size=3)", "size", "argument"),
        ('text = f"{a!r:>4}"', 'f"{', "string"),
        ("match value:", "match", "keyword"),
        ("x = a and not None", "and", "keyword"),
        ("class Mine(Base):", "Mine", "definition"),
        ("x = 'don\\'t'", "'don\\'t'", "string"),
        ("self.x", "self", "self"),
    ],
)
def test_pieces_of_a_line(line: str, piece: str, kind: str) -> None:
    assert kinds(line)[piece] == kind


def test_what_only_looks_like_something_is_left_alone() -> None:
    assert "definition" not in kinds("undefined x").values()
    assert kinds("a1 = classy") == {}
    assert kinds("x.len()") == {}
    assert "argument" not in kinds("a == b").values()


def test_values_inside_a_string_are_no_string() -> None:
    assert kinds('text = f"{self.x} = {1}"')["self"] == "self"
    assert kinds('text = "{self.x}"') == {'"{self.x}"': "string"}


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_a_long_string_goes_on_over_lines(quotes: str) -> None:
    found, inside = spans(f"x = {quotes}first")
    assert found == [(4, 8, "string")]
    assert inside != 0
    assert spans("def no(): # comment", inside) == ([(0, 19, "string")], inside)
    found, state = spans(f"end{quotes} + 1", inside)
    assert (found, state) == ([(0, 6, "string"), (9, 1, "number")], 0)
    assert spans(f"{quotes}a{quotes} + {quotes}b")[1] == inside


def test_a_string_that_is_not_closed_ends_with_its_line(qtbot: Any) -> None:
    assert spans("x = 'not closed")[1] == 0


def test_closing_a_string_colours_what_follows(qtbot: Any) -> None:
    view = CodeView("x = '''\nreturn\n", read_only=False)
    qtbot.addWidget(view)
    assert colours(view, 1) == [COLOURS["string"]]
    cursor = view.textCursor()
    cursor.setPosition(7)
    cursor.insertText("'''")
    assert colours(view, 1) == [COLOURS["keyword"]]


def colours(view: CodeView, line: int) -> list[str]:
    formats = view.document().findBlockByNumber(line).layout().formats()
    return [found.format.foreground().color().name() for found in formats]


def test_colours_reach_the_text(qtbot: Any) -> None:
    view = CodeView("def reward():\n    return 1\n")
    qtbot.addWidget(view)
    formats = view.document().firstBlock().layout().formats()
    assert [f.format.foreground().color() for f in formats] == [QColor(COLOURS[k]) for k in ("keyword", "definition")]


def test_colours_stand_where_they_should_after_any_letter(qtbot: Any) -> None:
    view = CodeView('x = "😀é"  # why\n')
    qtbot.addWidget(view)
    string, comment = view.document().firstBlock().layout().formats()
    assert (string.start, string.length) == (4, 5), "the first letter counts twice for Qt"
    assert (comment.start, comment.length) == (11, 5)


@pytest.fixture
def editor(qtbot: Any) -> CodeView:
    view = CodeView("", read_only=False)
    qtbot.addWidget(view)
    view.show()
    return view


def test_edits_are_told_once_typing_pauses(editor: CodeView, qtbot: Any) -> None:
    told: list[str] = []
    editor.edited.connect(told.append)
    qtbot.keyClicks(editor, "x = 1")
    assert told == []
    qtbot.wait(500)
    assert told == ["x = 1"]


def test_setting_the_text_is_no_edit(editor: CodeView, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(editor.edited, wait=450):
        editor.set_text("y = 2\n")
    assert editor.text() == "y = 2\n"


def test_a_new_line_is_indented(editor: CodeView, qtbot: Any) -> None:
    qtbot.keyClicks(editor, "def f():")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.keyClicks(editor, "if x:  # why")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.keyClicks(editor, "pass")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.keyClick(editor, Qt.Key.Key_Backspace)
    qtbot.keyClicks(editor, "y")
    assert editor.text() == "def f():\n    if x:  # why\n        pass\n    y"


def test_tab_is_four_spaces_and_moves_selected_lines(editor: CodeView, qtbot: Any) -> None:
    qtbot.keyClicks(editor, "ab")
    qtbot.keyClick(editor, Qt.Key.Key_Tab)
    assert editor.text() == "ab  "
    editor.set_text("a\nb")
    editor.selectAll()
    qtbot.keyClick(editor, Qt.Key.Key_Tab)
    assert editor.text() == "    a\n    b"
    editor.selectAll()
    qtbot.keyClick(editor, Qt.Key.Key_Backtab)
    assert editor.text() == "a\nb"
    assert editor.hasFocus() or not editor.isActiveWindow()


def test_all_lines_with_errors_are_marked(editor: CodeView) -> None:
    editor.set_text("a\nb\nc")
    editor.set_error_lines(lines_in("line 3: NameError, which was called at line 2: 12 of them, and outlines 1"))
    marks = editor.extraSelections()
    assert [mark.cursor.blockNumber() for mark in marks] == [1, 2]
    assert marks[0].format.background().color().rgb() == QColor(BAD).rgb()
    editor.set_error_lines([])
    assert editor.extraSelections() == []


def test_a_line_is_gone_to(editor: CodeView) -> None:
    editor.set_text("\n" * 500)
    editor.go_to(400)
    assert editor.textCursor().blockNumber() == 399
    assert editor.verticalScrollBar().value() > 300


def test_a_read_only_view_cannot_be_typed_into(qtbot: Any) -> None:
    view = CodeView("x = 1")
    qtbot.addWidget(view)
    qtbot.keyClicks(view, "y")
    qtbot.keyClick(view, Qt.Key.Key_Tab)
    assert view.text() == "x = 1"


def test_line_numbers_have_their_own_room(qtbot: Any) -> None:
    view = CodeView("\n" * 12_000)
    qtbot.addWidget(view)
    wide = view.viewportMargins().left()
    view.set_text("x")
    assert wide > view.viewportMargins().left() > 20


def test_the_place_is_kept_when_the_text_is_renewed(editor: CodeView, qtbot: Any) -> None:
    editor.resize(300, 100)
    editor.set_text("\n".join(f"x{i} = {i}" for i in range(200)))
    editor.verticalScrollBar().setValue(120)
    editor.set_text(editor.text().replace("x199", "y"))
    assert editor.verticalScrollBar().value() == 120
