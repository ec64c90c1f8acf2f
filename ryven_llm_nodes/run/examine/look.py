"""What a rule sees of a node, and how rules are registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from ryven_llm_nodes.catalogue.columns import FORMATS
from ryven_llm_nodes.catalogue.findings import Finding, Seen
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.errors import shown
from ryven_llm_nodes.run.examine.survey import Survey, Surveyor, Tally

if TYPE_CHECKING:
    from ryven_llm_nodes.run.examine.prepared import PreparedRows
    from ryven_llm_nodes.run.examine.rendered import Rendered

Need = Literal["rows", "tokenizer", "template", "config", "settings", "adapter", "bases", "prepared"]
SAMPLE: Final = 512
"""Rows whose tokens are counted, unless all are asked for."""
BESIDE: Final = ("label", "tools")
"""Columns that are looked into although no format needs them."""


@dataclass(frozen=True)
class Look:
    """A node, and what has been read for it.

    Which columns training reads follows from the groups of columns that the node needs: of those that the rows have,
    one with ``input_ids``, else the largest.
    """

    context: NodeContext
    seen: Seen
    all_rows: bool = False
    prepare: Callable[[Any, Sequence[int]], PreparedRows] | None = None
    """Makes of rows what the trainer will make of them."""

    def has(self, need: Need) -> bool:
        """Whether what a rule needs has been read."""
        seen = self.seen
        there: Mapping[Need, Any] = {
            "rows": self.rows,
            "tokenizer": seen.tokenizer,
            "template": seen.tokenizer is not None and not seen.other_template and seen.tokenizer.chat_template,
            "config": seen.config,
            "settings": seen.settings,
            "adapter": seen.adapter,
            "bases": seen.bases,
            "prepared": self.prepare if self._is_preparable else None,
        }
        return bool(there[need]) if need in ("rows", "template", "bases") else there[need] is not None

    @property
    def _is_preparable(self) -> bool:
        seen = self.seen
        return bool(self.context.node.sequences and seen.tokenizer is not None and seen.settings is not None)

    def prepared(self, port: str) -> PreparedRows:
        """The rows of the sample as the trainer will make them. Raises what the libraries raise."""
        if port not in self._prepared:
            assert self.prepare is not None
            indices = [number - 1 for number in self.rendered(port).numbers]
            self._prepared[port] = self.prepare(self.rows[port], indices)
        return self._prepared[port]

    @cached_property
    def _prepared(self) -> dict[str, PreparedRows]:
        return {}

    @cached_property
    def rows(self) -> dict[str, Any]:
        """The datasets by port that have rows, and columns that the node needs."""
        return {port: rows for port, rows in self.seen.rows.items() if len(rows) and self.taken(port)}

    def taken(self, port: str) -> tuple[str, ...]:
        """The columns that training reads."""
        columns = set(self.seen.rows[port].column_names)
        there = [group for group in self.context.node.needs(self.context) if set(group) <= columns]
        return max(there, key=lambda group: ("input_ids" in group, len(group)), default=())

    def others(self, port: str) -> tuple[str, ...]:
        """The columns that training does not read."""
        taken = self.taken(port)
        return tuple(name for name in self.seen.rows[port].column_names if name not in taken)

    @property
    def samples(self) -> bool:
        """Whether completions are sampled from prompts, rather than rows learned."""
        return not self.context.node.sequences

    @property
    def leaves_policy(self) -> bool:
        """Whether the node leaves a model that generates text."""
        return any(port.kind == "model" for port in self.context.node.out_ports)

    @property
    def rewards(self) -> bool:
        """Whether the node passes all columns to rewards."""
        return any(port.kind == "reward" for port in self.context.node.in_ports)

    @cached_property
    def surveys(self) -> dict[str, Survey]:
        """A survey of each dataset; rows that are held out are looked for in those that are trained on."""
        surveys: dict[str, Survey] = {}
        known: set[int] = set()
        for port in sorted(self.rows, key=lambda port: port == "dataset"):
            taken = self.taken(port)
            beside = [name for name in self.others(port) if self.rewards or name in BESIDE]
            pair = [name for name in ("chosen", "rejected") if name in taken]
            surveyor = Surveyor((*taken, *beside), taken, known if port == "dataset" else (), pair)
            surveyor.keep = port != "dataset"
            surveys[port] = surveyor.look_at(self.rows[port])
            known |= surveys[port].fingerprints
        return surveys

    def rendered(self, port: str) -> Rendered:
        """A sample of the rows as text and tokens."""
        from ryven_llm_nodes.run.examine.rendered import Rendered

        if port not in self._rendered:
            self._rendered[port] = Rendered(self, port)
        return self._rendered[port]

    @cached_property
    def _rendered(self) -> dict[str, Rendered]:
        return {}

    def judged(self) -> Iterator[tuple[str, str, Survey]]:
        """Every port and column that training reads and whose values are known, with the survey of its dataset."""
        for port in self.rows:
            for column in self.taken(port):
                if column in FORMATS or len(self.taken(port)) == 1:
                    yield port, column, self.surveys[port]


Rule = Callable[[Look], Iterator[Finding]]
_rules: Final[list[tuple[tuple[Need, ...], Rule]]] = []


def rule(*needs: Need) -> Callable[[Rule], Rule]:
    """Registers a rule that is asked wherever what it ``needs`` has been read."""

    def register(function: Rule) -> Rule:
        _rules.append((needs, function))
        return function

    return register


def rules_for(look: Look, prepared: bool) -> Iterator[Rule]:
    """The rules that can be asked about ``look``: those that need no prepared rows, or those that do."""
    chosen = ((needs, function) for needs, function in _rules if ("prepared" in needs) == prepared)
    return (function for needs, function in chosen if all(look.has(need) for need in needs))


def where(tally: Tally, rows: int) -> str:
    """``in row 6``, or ``in 12 of 40 rows, first in row 6``."""
    return f"in row {tally.row}" if tally.count == 1 else f"in {tally.count} of {rows} rows, first in row {tally.row}"


def excerpt(value: Any) -> str:
    """A short excerpt of a value."""
    return shown(value, 60)
