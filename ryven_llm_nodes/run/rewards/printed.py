"""What code prints, to be shown to its user: as much of it as someone reads."""

from __future__ import annotations

from io import StringIO
from typing import Final

MOST: Final = 20_000
"""Characters that are kept."""


class Printed(StringIO):
    """Takes the place of the standard output; keeps the beginning, and counts the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.left_out = 0

    def write(self, text: str, /) -> int:
        kept = text[: max(MOST - self.tell(), 0)]
        super().write(kept)
        self.left_out += len(text) - len(kept)
        return len(text)

    @property
    def text(self) -> str:
        """What was printed, and how much more there was."""
        more = f"\n... and {self.left_out:,} more characters" if self.left_out else ""
        return self.getvalue().rstrip("\n") + more
