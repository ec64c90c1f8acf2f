"""Groups and notes on the canvas: what a flow file holds of them. No stage, key or script depends on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from ryven_llm_nodes.program.flow import pixels

KEY: Final = "annotations"
"""Where a flow keeps its groups and notes, next to its nodes; Ryven itself ignores it."""
ITEMS: Final = "items"
GROUP: Final = "group"
NOTE: Final = "note"
KINDS: Final = (GROUP, NOTE)
COLOURS: Final = ("neutral", "accent", "good", "warn", "violet", "teal", "rose")
SMALLEST: Final = (120.0, 60.0)
MOST: Final = 2000
LONGEST: Final = 20_000
"""Characters of a text."""


@dataclass(frozen=True)
class Annotation:
    """A group (a titled rectangle behind nodes) or a note (a text); ``x`` and ``y`` are its upper left corner."""

    kind: str
    text: str
    x: float
    y: float
    width: float
    height: float
    colour: str = COLOURS[0]

    def moved(self, x: float, y: float) -> Annotation:
        """The same ``x`` and ``y`` pixels further right and down."""
        return replace(self, x=self.x + x, y=self.y + y)


def annotations_of(data: Any) -> list[Annotation]:
    """The annotations in what a flow or the clipboard holds under :data:`KEY`; what is none is left out."""
    items = data.get(ITEMS) if isinstance(data, Mapping) else None
    found = (_annotation(item) for item in (items if isinstance(items, list) else [])[:MOST])
    return [one for one in found if one is not None]


def _annotation(item: Any) -> Annotation | None:
    if not isinstance(item, Mapping) or item.get("kind") not in KINDS:
        return None
    x, y, width, height = (pixels(item.get(name)) for name in ("x", "y", "width", "height"))
    text, colour = item.get("text"), item.get("colour")
    return Annotation(
        item["kind"],
        text[:LONGEST] if isinstance(text, str) else "",
        x,
        y,
        max(width, SMALLEST[0]),
        max(height, SMALLEST[1]),
        colour if colour in COLOURS else COLOURS[0],
    )


def to_data(annotations: Iterable[Annotation]) -> dict[str, Any]:
    """What is stored of ``annotations``; nothing where there are none."""
    items = [asdict(one) for one in annotations]
    return {ITEMS: items} if items else {}
