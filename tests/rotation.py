"""Expensive cases that take turns: each day runs a part of them, RYVEN_LLM_ALL_CASES=1 all."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from typing import TypeVar

Case = TypeVar("Case")


def turn(cases: Sequence[Case], parts: int) -> list[Case]:
    """Every ``parts``-th of ``cases``, on the next day the ones after them; none if there are fewer than that."""
    if os.environ.get("RYVEN_LLM_ALL_CASES"):
        return list(cases)
    return list(cases[datetime.datetime.now(datetime.UTC).toordinal() % parts :: parts])
