"""Which versions a script needs, as the metadata of this package and of the libraries says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import Final

DISTRIBUTION: Final = "ryven-llm-nodes"
LIBRARIES: Final = ("torch", "transformers", "trl", "datasets", "accelerate", "peft")
OLDEST_PYTHON: Final = (3, 11)
"""The oldest Python of TRL 1.16, where the libraries are not installed and cannot be asked."""


@lru_cache
def requirement(package: str) -> str:
    """``trl>=1.16,<1.17``: the package with the bounds that this distribution declares, or its name alone.

    The upper bounds are those of the versions whose private names are used, or whose interface was tested.
    """
    try:
        declared = requires(DISTRIBUTION) or ()
    except PackageNotFoundError:
        declared = ()
    found = (re.fullmatch(r"([\w.-]+)\s*([^;]*)(;.*)?", line) for line in declared)
    bounds = next((match[2] for match in found if match and match[1] == package), "")
    return package + ",".join(sorted(filter(None, bounds.strip().split(",")), key=lambda bound: bound[0] != ">"))


def oldest_python(packages: Iterable[str]) -> str:
    """``3.11``: the oldest Python that every one of ``packages`` runs on, as installed."""
    return ".".join(map(str, max([OLDEST_PYTHON, *(_python_of(package) for package in packages)])))


@lru_cache
def _python_of(package: str) -> tuple[int, int]:
    try:
        said = metadata(package).get("Requires-Python") or ""
    except PackageNotFoundError:
        said = ""
    found = re.search(r">=\s*(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else OLDEST_PYTHON


@lru_cache
def installed(package: str) -> str:
    """The version of ``package`` without its build, or nothing where it is not installed."""
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return ""
