"""Messages, help, docstrings, comments and documentation use the words of GLOSSARY.md, and none that it replaces."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "ryven_llm_nodes").rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "examples").rglob("*.md"))]

ALLOWED = {
    "whole": r"whole numbers?",  # an integer, in words that users of a form understand
}


@cache
def avoided() -> list[str]:
    """The words in the last column of the glossary."""
    rows = [line for line in (ROOT / "GLOSSARY.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [word for row in rows[1:] for word in re.findall(r"`([^`]+)`", row.rsplit("|", 2)[1])]


def old_words(text: str) -> list[str]:
    """The avoided words in ``text``, however its lines are broken; names in backticks are code."""
    words = avoided()
    text = re.sub(r"`[^`\n]+`", "", text)
    for word in words:
        if word in ALLOWED:
            text = re.sub(rf"\b{ALLOWED[word]}\b", "", text)
    flat = re.sub(r"[\s#]+", " ", text)
    return [word for word in words if re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.]*\w)", flat, re.IGNORECASE)]


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of everything that a reader may see: strings, docstrings, and blocks of comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    comments: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if comments and token.start[0] > comments[-1].start[0] + 1:
                yield comments[0].start[0], "\n".join(comment.string for comment in comments)
                comments = []
            comments.append(token)
    if comments:
        yield comments[0].start[0], "\n".join(comment.string for comment in comments)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_source(path: Path) -> None:
    found = [(line, old) for line, text in prose(path.read_text(encoding="utf-8")) if (old := old_words(text))]
    assert not found, f"{path}: GLOSSARY.md has other words for these"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_document(path: Path) -> None:
    assert not old_words(path.read_text(encoding="utf-8"))


def test_every_term_has_one_sentence_and_no_old_word() -> None:
    for line in (ROOT / "GLOSSARY.md").read_text(encoding="utf-8").splitlines()[7:]:
        _, term, meaning, _, _ = line.split("|")
        assert meaning.strip().endswith("."), line
        assert ". " not in meaning.strip(), line
        assert not old_words(term), line


class TestTheCheck:
    def test_the_glossary_is_read(self) -> None:
        assert {"data set", "afresh", "torn", "past runs"} <= set(avoided())

    @pytest.mark.parametrize("text", ["The data set is empty.", "a data\n    set", "# of the data\n# set", "Data sets"])
    def test_finds(self, text: str) -> None:
        assert old_words(text)

    @pytest.mark.parametrize(
        "text", ["a dataset", "must be a whole number", "widespread", "catalogue/beside.py", "``whole`` is a name"]
    )
    def test_leaves_alone(self, text: str) -> None:
        assert not old_words(text)

    def test_sees_strings_docstrings_formats_and_comments(self) -> None:
        source = '"""one torn file"""\nx = f"two torn {1} files"  # three torn\n# comments\n'
        assert sum(old_words(text) == ["torn"] for _, text in prose(source)) == 3
