"""The axes of what a sweep varies, as charts draw them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.program.sweeping.space import Axis, Choices
from ryven_llm_nodes.run.comparing.charts import padded

MOST_TICKS: Final = 4


def written(value: JSON) -> str:
    """A value as on the command line."""
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Along:
    """An axis as numbers: a list by places, a logarithmic range by its logarithm."""

    axis: Axis

    def __call__(self, value: Any) -> float:
        if isinstance(self.axis, Choices):
            return float(self.axis.values.index(value))
        return math.log10(value) if self.axis.is_log else float(value)

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest number."""
        if isinstance(self.axis, Choices):
            return -0.5, len(self.axis.values) - 0.5
        return padded(self(self.axis.low), self(self.axis.high))

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Places with what stands there."""
        if isinstance(self.axis, Choices):
            yield from ((float(i), written(value)) for i, value in enumerate(self.axis.values))
            return
        low, high = self(self.axis.low), self(self.axis.high)
        for i in range(MOST_TICKS):
            at = low + (high - low) * i / (MOST_TICKS - 1)
            value = 10**at if self.axis.is_log else at
            yield at, f"{value:.2g}" if isinstance(self.axis.low, float) else f"{value:.0f}"
