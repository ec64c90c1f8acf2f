"""The columns of the run history: what is known of every run, and any setting or final metric that is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from qtpy.QtWidgets import QMenu

from ryven_llm_nodes.gui.state import preferences
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.gui.widgets.tables import Cell
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run.records.facts import Facts, differing, final_metrics, in_a_cell
from ryven_llm_nodes.run.records.history import PastRun
from ryven_llm_nodes.run.states import in_words

CHOICE: Final = "columns of runs"
Of = Callable[[PastRun, Facts], Any]


@dataclass(frozen=True)
class Column:
    """A column: what it shows of a run, and the ``value`` that rows are sorted by, None for one without it."""

    key: str
    title: str
    cell: Of
    value: Of
    right: bool = False


def _stages(run: PastRun, facts: Facts) -> str:
    return ", ".join(f"{name} {in_words(run.state(name))}" for name in run.stages)


def _with_tip(of: Of) -> Of:
    def cell(run: PastRun, facts: Facts) -> Cell:
        text = str(of(run, facts))
        return Cell(text.replace("\n", " "), "", text)

    return cell


def _status(run: PastRun, facts: Facts) -> Cell:
    return Cell(in_words(run.status), state_colour(run.status), "\n".join(run.error))


RUN: Final = Column(
    "run", "run", lambda run, _: Cell(run.name, "", str(run.folder)), lambda run, _: run.summary.get("began")
)
BEFORE: Final = (
    Column("name", "name", _with_tip(lambda run, _: run.label.name), lambda run, _: run.label.name or None),
    Column("note", "note", _with_tip(lambda run, _: run.label.note), lambda run, _: run.label.note or None),
    Column("flow", "flow", lambda run, _: run.flow, lambda run, _: run.flow),
    Column("status", "status", _status, lambda run, _: in_words(run.status)),
    Column("time", "time", lambda run, _: duration(run.seconds), lambda run, _: run.seconds, right=True),
)
AFTER: Final = (Column("stages", "stages", _with_tip(_stages), _stages),)
USUAL: Final = ("name", "flow", "status", "time", "stages")


def fact_column(key: str) -> Column:
    """The column of a setting or a metric."""
    return Column(key, key, lambda run, facts: in_a_cell(facts.value(key)), lambda run, f: f.value(key), right=True)


def chosen_keys() -> list[str]:
    """The columns that the user has chosen, for all windows and later starts."""
    kept = preferences.read(CHOICE)
    return [key for key in kept if isinstance(key, str)] if isinstance(kept, list) else list(USUAL)


def columns_of(known: Sequence[tuple[PastRun, Facts]]) -> list[Column]:
    """The chosen columns, as far as there is something to show in them."""
    wanted = chosen_keys()
    fixed = {column.key for column in (RUN, *BEFORE, *AFTER)}
    facts = [fact_column(key) for key in wanted if key not in fixed]
    shown = [column for column in (*BEFORE, *facts, *AFTER) if column.key in wanted]
    empty = {"name", "note", *(column.key for column in facts)}
    return [RUN, *(c for c in shown if c.key not in empty or any(c.value(*one) is not None for one in known))]


def in_order(runs: Iterable[tuple[PastRun, Facts]], column: Column, ascending: bool) -> list[tuple[PastRun, Facts]]:
    """``runs`` by the value of ``column``; numbers before texts, and those without a value at the end."""
    known = [(column.value(*one), one) for one in runs]
    there = [pair for pair in known if pair[0] is not None]
    there.sort(key=lambda pair: _rank(pair[0]), reverse=not ascending)
    return [one for _, one in there] + [one for value, one in known if value is None]


def _rank(value: Any) -> tuple[int, float, str]:
    is_number = isinstance(value, (int, float)) and value == value  # not-a-number has no order
    return (0, float(value), "") if is_number else (1, 0.0, str(value).casefold())


# The menu


def fill_menu(menu: QMenu, facts: Sequence[Facts], changed: Callable[[], object]) -> None:
    """Fills ``menu`` with all columns; ``changed`` is called after each choice."""
    menu.clear()
    chosen = set(chosen_keys())
    for column in (*BEFORE, *AFTER):
        _add(menu, column.key, column.title, chosen, changed)
    menu.addSeparator()
    for title, keys in (("Settings That Differ", differing(facts)), ("Final Metrics", final_metrics(facts))):
        _fill_by_node(menu.addMenu(title), keys, chosen, changed)


def _fill_by_node(menu: QMenu, keys: Sequence[str], chosen: set[str], changed: Callable[[], object]) -> None:
    by_node: dict[str, list[str]] = {}
    for key in keys:
        by_node.setdefault(key.partition(".")[0], []).append(key)
    for node, of_node in by_node.items():
        below = menu.addMenu(node) if len(by_node) > 1 else menu
        for key in of_node:
            _add(below, key, key.partition(".")[2], chosen, changed)
    menu.setEnabled(bool(keys))


def _add(menu: QMenu, key: str, title: str, chosen: set[str], changed: Callable[[], object]) -> None:
    action = menu.addAction(title)
    action.setCheckable(True)
    action.setChecked(key in chosen)
    action.toggled.connect(partial(_choose, key, changed))


def _choose(key: str, changed: Callable[[], object], wanted: bool) -> None:
    kept = [one for one in chosen_keys() if one != key]
    preferences.keep(CHOICE, [*kept, key] if wanted else kept)
    changed()
