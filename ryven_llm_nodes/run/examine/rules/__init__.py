"""The rules by which rows, tokenizers, models and settings are judged before anything trains.

Every module here holds rules: functions that take a look at a node and yield findings. A new rule is one function with
the decorator ``rule``, which says what has to have been read for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.run.examine.look import Look, rules_for

__all__ = ["Look", "found_by_rules"]


def found_by_rules(look: Look, has_errors: bool = False) -> Iterator[Finding]:
    """What all rules find. Rows are prepared as for training only where nothing is known to be wrong."""
    _load()
    for is_last in (False, True):
        for rule in () if has_errors else rules_for(look, is_last):
            for finding in rule(look):
                has_errors = has_errors or finding.weight == "error"
                yield finding


@cache
def _load() -> None:
    """Imports every module of this folder, which registers its rules."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
