"""Rules about conversations and preference pairs: roles, order, endings, empty turns, and what a trainer ignores."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from ryven_llm_nodes.catalogue.columns import ENDINGS
from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.run.examine.look import Look, excerpt, rule, where
from ryven_llm_nodes.run.examine.survey import Survey, Tally

KNOWN: Final = frozenset({"system", "developer", "user", "assistant", "tool", "function", "ipython"})
USUAL_NAMES: Final = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "ai": "assistant"}


def _patterns(look: Look) -> Iterator[tuple[str, str, Survey, tuple[str, ...], Tally]]:
    """Every sequence of roles in every column that training reads."""
    for port, column, survey in look.judged():
        for roles, tally in survey.patterns.get(column, {}).items():
            yield port, column, survey, roles, tally


def _sum(found: list[Tally]) -> Tally:
    """Several tallies as one."""
    first = min(found, key=lambda tally: tally.row)
    return Tally(sum(tally.count for tally in found), first.row, first.value)


def _collected(look: Look, is_meant: object) -> Iterator[tuple[str, str, Survey, Tally, tuple[str, ...]]]:
    """The columns with sequences of roles for which ``is_meant`` holds, each once, with the first of these."""
    found: dict[tuple[str, str], list[tuple[Tally, tuple[str, ...]]]] = {}
    for port, column, _, roles, tally in _patterns(look):
        if is_meant(column, roles):  # type: ignore[operator]
            found.setdefault((port, column), []).append((tally, roles))
    for (port, column), tallies in found.items():
        roles = min(tallies, key=lambda item: item[0].row)[1]
        yield port, column, look.surveys[port], _sum([tally for tally, _ in tallies]), roles


@rule("rows")
def unknown_roles(look: Look) -> Iterator[Finding]:
    """Templates write roles as they are, or refuse them."""
    for port, column, survey, tally, roles in _collected(look, lambda _, roles: set(roles) - KNOWN):
        wrong = next(role for role in roles if role not in KNOWN)
        usual = f" Rename it to {USUAL_NAMES[wrong]!r}" if wrong in USUAL_NAMES else " Rename it"
        yield Finding(
            port,
            f"column {column!r} has turns of the role {wrong!r} {where(tally, survey.rows)}, which no chat template "
            f"knows.{usual} with Convert Format.",
            "warning",
            tally.row,
        )


@rule("rows")
def wrong_endings(look: Look) -> Iterator[Finding]:
    """What is learned is an answer, so a conversation ends with one; a prompt ends with a question."""
    for port, column, survey, tally, roles in _collected(look, _ends_wrongly):
        if column == "prompt":
            what = "the model would answer after an answer"
            remedy = "Remove the last turn, with Map Columns or Convert Format"
        else:
            what = "that turn would be learned" if "assistant" in roles else "nothing is learned of the assistant"
            remedy = "Remove what follows the last answer, or leave such rows out (Filter)"
        yield Finding(
            port,
            f"column {column!r} ends with a turn of {roles[-1]!r} {where(tally, survey.rows)}: {what}. {remedy}.",
            "warning",
            tally.row,
        )


def _ends_wrongly(column: str, roles: tuple[str, ...]) -> bool:
    wanted = ENDINGS.get(column, ())
    return bool(wanted) and set(roles) <= KNOWN and roles[-1] not in wanted


@rule("rows")
def order_of_roles(look: Look) -> Iterator[Finding]:
    """Two turns of the same speaker in a row are unusual."""
    for port, column, survey, tally, roles in _collected(look, lambda _, roles: _repeats(roles)):
        yield Finding(
            port,
            f"column {column!r} has two turns of {_repeats(roles)!r} in a row {where(tally, survey.rows)}. Join them, "
            "unless that is intended.",
            "note",
            tally.row,
        )


def _repeats(roles: tuple[str, ...]) -> str:
    """The speaker of two turns in a row; tools may answer one after the other."""
    return next((one for one, other in pairwise(roles) if one == other and one in ("user", "assistant", "system")), "")


@rule("rows")
def late_system(look: Look) -> Iterator[Finding]:
    """Most templates refuse or drop a system turn that is not the first."""
    for port, column, survey, tally, _ in _collected(look, lambda _, roles: "system" in roles[1:]):
        yield Finding(
            port,
            f"column {column!r} has a system turn that is not the first {where(tally, survey.rows)}; move it to the "
            "beginning.",
            "note",
            tally.row,
        )


@rule("rows")
def empty_turns(look: Look) -> Iterator[Finding]:
    """A turn without text: of the assistant it teaches to stop at once."""
    for port, column, survey in look.judged():
        for what, tally in survey.turns.get(column, {}).items():
            kind, _, role = what.partition(" ")
            if kind in ("null", "empty") and role not in ("tool", "None"):
                effect = "; the model is trained to stop at once" if role == "assistant" else ""
                none = " (null, which templates write as None)" if kind == "null" else ""
                yield Finding(
                    port,
                    f"column {column!r} has an empty turn of {role!r}{none} {where(tally, survey.rows)}{effect}. Fill "
                    "it, or leave such rows out (Filter).",
                    "warning",
                    tally.row,
                )


@rule("rows")
def odd_contents(look: Look) -> Iterator[Finding]:
    """The content of a turn is text (or, for models that see, a list of parts)."""
    for port, column, survey in look.judged():
        for what, tally in survey.turns.get(column, {}).items():
            kind, _, role = what.rpartition(" ")
            if kind in ("number", "boolean", "date", "object", "list"):
                yield Finding(
                    port,
                    f"column {column!r} has a turn of {role!r} whose content is no text but {kind} "
                    f"{where(tally, survey.rows)}: {excerpt(tally.value)}. Write it as text.",
                    row=tally.row,
                )


@rule("rows")
def ignored_weights(look: Look) -> Iterator[Finding]:
    """TRL trains all turns of the assistant, whatever their weight."""
    for port, column, survey in look.judged():
        if tally := survey.turns.get(column, {}).get("weight 0"):
            yield Finding(
                port,
                f"column {column!r} has turns of weight 0 {where(tally, survey.rows)}, which are trained like the "
                "others: weights are not read. End such conversations before, or put these turns into a prompt "
                "(prompt + completion).",
                "warning",
                tally.row,
            )


@rule("rows", "settings")
def nothing_of_the_assistant(look: Look) -> Iterator[Finding]:
    """With a loss on the assistant's turns only, a row without one has nothing to learn."""
    if not getattr(look.seen.settings, "assistant_only_loss", False):
        return
    for port, column, survey, tally, _ in _collected(look, lambda _, roles: "assistant" not in roles):
        if column == "messages":
            yield Finding(
                port,
                f"column {column!r} has no turn of the assistant {where(tally, survey.rows)}, and with "
                "assistant_only_loss nothing else is learned. Leave such rows out (Filter).",
                row=tally.row,
            )


# Preference pairs


@rule("rows")
def equal_pairs(look: Look) -> Iterator[Finding]:
    """A pair of equal answers has no preference."""
    for port in look.rows:
        survey = look.surveys[port]
        if tally := survey.facts.get("equal pair"):
            is_all = tally.count == survey.rows
            what = "nothing would be learned" if is_all else "nothing is learned from these"
            yield Finding(
                port,
                f"'chosen' and 'rejected' are equal {where(tally, survey.rows)}: {what}. Leave such rows out (Filter).",
                "error" if is_all else "warning",
                tally.row,
            )


@rule("rows")
def answers_of_several_turns(look: Look) -> Iterator[Finding]:
    """Everything after the first difference counts as the answer."""
    for port in look.rows:
        survey = look.surveys[port]
        if tally := survey.facts.get("user turn in an answer"):
            yield Finding(
                port,
                f"'chosen' and 'rejected' differ before their last turn {where(tally, survey.rows)}: all that follows "
                "counts as the answer, turns of the user too. Let them differ in the last turn only, or leave such "
                "rows out (Filter).",
                "warning",
                tally.row,
            )
