"""Writes the page of results: a table, and the pictures of each journey with what they show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import getdoc
from pathlib import Path
from typing import Any, Final

from journeys import JOURNEYS

HEAD: Final = """\
# Journeys

What users do with the editor, step by step, on a screen of 1280 x 720: `ryven-llm edit` for a user who has never
started it, with a window manager (openbox), and real mouse and keys (xdotool under Xvfb).
`python tests/journeys/walk.py` walks them again, and writes this page.

* A double click counts as two clicks, a drag as one. A combination of keys counts as one key, a text as many as it has
  characters, commands in the terminal included. Counts and seconds end where the journey has reached its goal.
* Files cannot be dropped by xdotool: a drop consists of the events that Qt makes of a real one.
* Seconds are from the start of the first command, with all loading and training, but without a user's reading and
  thinking. {machine}
* The model is a Llama of two layers with random weights, made on the spot: what it learns, and how fast, tells nothing
  about models of a useful size. Nothing was downloaded.

| journey | clicks | keys | drops | seconds | what was seen |
|---|---|---|---|---|---|
"""


def write_page(folder: Path, found: Mapping[str, Mapping[str, Any]], machine: str = "") -> None:
    """``README.md`` in ``folder``, of the journeys that were walked."""
    walked = [name for name in JOURNEYS if name in found]
    rows = "".join(f"{_row(name, found[name])}\n" for name in walked)
    sections = "\n".join(_section(name, found[name]) for name in walked)
    (folder / "README.md").write_text(f"{HEAD.format(machine=machine)}{rows}\n{sections}", encoding="utf-8")


def _row(name: str, took: Mapping[str, Any]) -> str:
    title = f"[{JOURNEYS[name].title}](#{_anchor(JOURNEYS[name].title)})"
    if "failed" in took:
        return f"| {title} | | | | | **not completed**: {_cell(took['failed'])} |"
    numbers = (took["clicks"], took["keys"], took["drops"], round(took["seconds"]))
    return f"| {title} | {' | '.join(map(str, numbers))} | {_cell(took['seen'])} |"


def _section(name: str, took: Mapping[str, Any]) -> str:
    about = " ".join((getdoc(JOURNEYS[name].walk) or "").split())
    return "\n".join([f"## {JOURNEYS[name].title}", "", about, "", *_pictures(took)])


def _pictures(took: Mapping[str, Any]) -> Iterator[str]:
    for number, (file, caption) in enumerate(took["pictures"], 1):
        yield from (f"{number}. {caption}", "", f"   ![{caption}]({file})", "")


def _anchor(title: str) -> str:
    """As GitHub makes it of a title."""
    kept = "".join(sign for sign in title.lower() if sign.isalnum() or sign in " -")
    return kept.replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
