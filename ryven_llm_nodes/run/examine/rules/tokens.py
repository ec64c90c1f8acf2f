"""Rules about rows as they will be trained: what is dropped, cut, equal once it is cut, or not trained at all.

The rows come from TRL's own trainer (``prepared.py``), so they are exactly those that will be trained.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.errors import Remedy, shown
from ryven_llm_nodes.run.examine.look import Look, rule
from ryven_llm_nodes.run.examine.prepared import PreparedRows, TokenSequence
from ryven_llm_nodes.system.causes import describe, forget

PREPARES = "_prepare_dataset"
"""The method of TRL's trainers in which rows are tokenized."""
MANY = 0.1
"""The share of rows from which on a loss is worth a warning."""


@rule("rows", "prepared")
def not_preparable(look: Look) -> Iterator[Finding]:
    """Whatever no other rule knows: the trainer would fail with the same error after it has loaded the model."""
    for port in look.rows:
        try:
            look.prepared(port)
        except Exception as error:
            if _is_about_rows(error):
                yield Finding(port, f"training cannot prepare its rows: {describe(error)}")
            else:  # a stand-in for the model may lack what a setting asks for
                yield Finding(port, f"tokens were not counted: {describe(error)}", "note")
            forget(error)


def _is_about_rows(error: BaseException) -> bool:
    """Whether it was raised while the trainer prepared rows, rather than while it was made."""
    return any(frame.name == PREPARES for frame in traceback.extract_tb(error.__traceback__))


def _prepared(look: Look) -> Iterator[tuple[str, PreparedRows]]:
    """The datasets whose rows can be prepared; the others are reported above."""
    for port in look.rows:
        try:
            yield port, look.prepared(port)
        except Exception as error:
            forget(error)


@rule("rows", "prepared")
def dropped_and_cut(look: Look) -> Iterator[Finding]:
    """Rows are dropped where ``max_length`` leaves nothing to learn, and cut where they are longer."""
    most = look.context["max_length"] if look.context.has("max_length") else None
    for port, made in _prepared(look) if most else ():
        longest = max(made.lengths, default=0)
        sampled = look.rendered(port).sampled
        if made.dropped:
            is_all = len(made.dropped) == made.looked_at
            yield Finding(
                "max_length",
                f"is {most}, and {len(made.dropped)} of {sampled} of its {_name(port)} (first row {made.dropped[0] + 1}"
                f") are dropped: their prompts alone fill it. The longest row has {longest} tokens; set {longest}, "
                "shorten prompts, or leave such rows out (Filter).",
                "error" if is_all else "warning",
                made.dropped[0] + 1,
                Remedy("max_length", longest),
            )
        cut = sorted({sequence.row for sequence in made.sequences if sequence.cut and sequence.row is not None})
        cut = [row for row in cut if row not in set(made.dropped)]
        if cut:
            yield Finding(
                "max_length",
                f"is {most}, and {len(cut)} of {sampled} of its {_name(port)} (first row {cut[0] + 1}) are longer: "
                f"what follows is cut, the end token too. The longest row has {longest} tokens; set {longest}, or "
                "leave such rows out (Filter).",
                "warning" if len(cut) >= MANY * made.looked_at else "note",
                cut[0] + 1,
                Remedy("max_length", longest),
            )


def _name(port: str) -> str:
    return port.replace("_", " ")


@rule("rows", "prepared")
def equal_once_cut(look: Look) -> Iterator[Finding]:
    """Pairs that differ only in what is cut away."""
    for port, made in _prepared(look):
        pairs: dict[int, list[TokenSequence]] = {}
        for sequence in made.sequences:
            if sequence.row is not None and sequence.row not in made.dropped:
                pairs.setdefault(sequence.row, []).append(sequence)
        equal = [row for row, parts in sorted(pairs.items()) if len(parts) == 2 and _is_equal(*parts)]
        if equal:
            yield Finding(
                "max_length",
                f"is {look.context['max_length']}: chosen and rejected of {len(equal)} of "
                f"{look.rendered(port).sampled} (first row {equal[0] + 1}) are equal once they are cut, and teach "
                "nothing. Raise it, or leave such rows out (Filter).",
                "error" if len(equal) == made.looked_at else "warning",
                equal[0] + 1,
                Remedy("max_length", max(made.lengths)),
            )


def _is_equal(one: TokenSequence, other: TokenSequence) -> bool:
    return one.ids != other.ids and _kept(one) == _kept(other)


def _kept(sequence: TokenSequence) -> list[int]:
    return [token for token, kind in zip(sequence.ids, sequence.kinds, strict=True) if kind != "cut"]


@rule("rows", "prepared")
def nothing_trained(look: Look) -> Iterator[Finding]:
    """Rows of which no token is learned."""
    for port, made in _prepared(look):
        rows = sorted({s.row for s in made.sequences if not s.trained and s.row is not None} - set(made.dropped))
        if rows:
            yield Finding(
                port,
                f"no token is trained in {len(rows)} of {look.rendered(port).sampled}, first in row {rows[0] + 1}. "
                "Look at it in the preview, and leave such rows out (Filter).",
                "error" if len(rows) == made.looked_at else "warning",
                rows[0] + 1,
            )


@rule("rows", "prepared")
def end_never_trained(look: Look) -> Iterator[Finding]:
    """Tokenized rows bring their end token themselves."""
    for port, made in _prepared(look):
        end = made.tokenizer.eos_token_id
        if "input_ids" not in look.taken(port) or end is None or any(s.cut for s in made.sequences):
            continue
        trained = {
            token for s in made.sequences for token, kind in zip(s.ids, s.kinds, strict=True) if kind == "trained"
        }
        if end not in trained:
            yield Finding(
                port,
                f"no row trains the end token {shown(made.tokenizer.eos_token)} (token {end}): the model does not "
                "learn to stop. Append it to input_ids and labels.",
                "warning",
            )
