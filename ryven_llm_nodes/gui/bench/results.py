"""What rewards give to completions: a table, the texts of the chosen row, and the facts of each reward."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSplitter, QTextEdit

from ryven_llm_nodes.gui.style.colours import BAD, BRIGHT, MUTED, WARN
from ryven_llm_nodes.gui.style.fonts import MONO
from ryven_llm_nodes.gui.style.rich_text import bold, coloured, escape
from ryven_llm_nodes.gui.widgets.placeholder import WithPlaceholder
from ryven_llm_nodes.gui.widgets.tables import Cell, Row, Table

Found = Mapping[str, Any]
"""What ``run/rewards/bench.py`` gives as data."""
LONGEST: Final = 200
WIDEST: Final = 120
"""Characters and pixels of a cell, at most."""
_FAMILIES: Final = ", ".join(f"'{name}'" for name in MONO)


class Results(WithPlaceholder):
    """Completions with their scores, or a sentence in their place.

    ``facts`` shows what is known of each reward; it belongs to the layout of the one who shows this.
    """

    def __init__(self, sentence: str) -> None:
        self.rows = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        super().__init__(self.rows)
        self.table = Table(["row"], 0)
        self.detail = QTextEdit(readOnly=True, minimumWidth=120)
        self.facts = QTextEdit(readOnly=True, minimumWidth=150)
        self.facts.setStyleSheet("QTextEdit { background: transparent; border: none }")
        self._found: Found = {"completions": [], "rewards": []}
        self.rows.addWidget(self.table)
        self.rows.addWidget(self.detail)
        self.say(sentence)

    def show_found(self, found: Found) -> None:
        """Shows what rewards gave."""
        self._found = found
        self._show_table(found["rewards"])
        self.facts.setHtml(facts(found))
        self.show_content()

    def _show_table(self, rewards: Sequence[Found]) -> None:
        """A table has its columns for life."""
        names = [reward["reward"] for reward in rewards]
        titles = ["row", "prompt", "completion", *names, *(["total"] if len(names) > 1 else [])]
        table = Table(titles, 2, right=[0, *range(3, len(titles))], most=WIDEST)
        table.shorten_titles()
        table.chosen.connect(self._show_detail)
        self.rows.replaceWidget(0, table)
        self.table.deleteLater()
        self.table = table
        rows = enumerate(self._found["completions"])
        table.show_rows({str(number): _row(number, one, rewards) for number, one in rows})
        table.choose("0")
        self.rows.setSizes([620, 280])

    def _show_detail(self) -> None:
        keys = self.table.chosen_keys()
        number = int(keys[0]) if keys else len(self._found["completions"])
        one = self._found["completions"][number] if number < len(self._found["completions"]) else {}
        failures = ((reward["reward"], reward["failures"].get(str(number))) for reward in self._found["rewards"])
        parts = [_part(f"{name} failed", text, BAD) for name, text in failures if text]
        parts += [_part(name, _text(one[name])) for name in ("prompt", "completion") if name in one]
        self.detail.setHtml("".join(parts))


def facts(found: Found) -> str:
    """Warnings; per reward its range, its spread, the time of a call, failures with their line, what it printed."""
    lines = [coloured(warning, WARN) for warning in found["warnings"]]
    lines += [escape(f"{len(found['completions'])} completions from {found['source']}"), ""]
    for reward in found["rewards"]:
        lines += _facts_of(reward, len(found["completions"]))
    return "<br>".join(lines) + "".join(_printed(reward) for reward in found["rewards"])


def _facts_of(reward: Found, completions: int) -> Iterator[str]:
    weight = f", weight {reward['weight']:g}" if reward["weight"] != 1 else ""
    yield bold(reward["reward"]) + escape(weight)
    least, mean, most = (_number(reward[name]) for name in ("least", "mean", "most"))
    yield coloured(f"min {least}, mean {mean}, max {most}", MUTED)
    if reward["equal"] is not None:
        yield coloured(f"{reward['equal']:.0%} have the most common score", MUTED)
    if len(reward["spread"]) < completions:
        spread = sum(reward["spread"]) / max(len(reward["spread"]), 1)
        yield coloured(f"spread within a group {spread:.3g}", MUTED)
    yield coloured(f"{reward['seconds']:.3g} s per call", MUTED)
    for text, rows in _by_text(reward["failures"]).items():
        yield coloured(f"row{'s' * (len(rows) > 1)} {', '.join(rows)}: {text}", BAD)


def _by_text(failures: Mapping[str, str]) -> dict[str, list[str]]:
    """The rows of each failure, counted from 1."""
    found: dict[str, list[str]] = {}
    for row, text in failures.items():
        found.setdefault(text, []).append(str(int(row) + 1))
    return found


def _printed(reward: Found) -> str:
    if not reward["printed"]:
        return ""
    return _part(f"{reward['reward']} printed", reward["printed"], BRIGHT, f"font-family: {_FAMILIES}")


def _part(heading: str, text: str, colour: str = BRIGHT, style: str = "") -> str:
    return f'<p>{bold(heading, colour)}</p><p style="white-space: pre-wrap; {style}">{escape(text)}</p>'


def _row(number: int, one: Found, rewards: Sequence[Found]) -> Row:
    scores = [_score(reward, number) for reward in rewards]
    total = [_number(one["total"])] if len(rewards) > 1 else []
    return Row([str(number + 1), _line(one["prompt"]), _line(one["completion"]), *scores, *total])


def _score(reward: Found, number: int) -> Cell:
    failure = reward["failures"].get(str(number))
    return Cell("failed", BAD, failure) if failure else Cell(_number(reward["scores"][number]))


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _line(value: Any) -> str:
    return " ".join(_text(value)[:LONGEST].split())


def _text(value: Any) -> str:
    """Text as it is; of a conversation, its turns."""
    if isinstance(value, list) and all(isinstance(turn, dict) for turn in value):
        return "\n\n".join(_text(turn.get("content", "")) for turn in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
