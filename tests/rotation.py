"""Expensive cases that take turns: each day runs a part of them, RYVEN_LLM_ALL_CASES=1 all."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from typing import TypeVar

Case = TypeVar("Case")


def turn(cases: Sequence[Case], parts: int) -> list[Case]:
    """Every ``parts``-th of ``cases``, on the next day the ones after them.

    Raises ValueError for fewer cases than parts: there would be days without any, and pytest would skip the test.
    """
    if len(cases) < parts:
        raise ValueError(f"{len(cases)} cases cannot take {parts} turns")
    if os.environ.get("RYVEN_LLM_ALL_CASES"):
        return list(cases)
    return list(cases[datetime.datetime.now(datetime.UTC).toordinal() % parts :: parts])
