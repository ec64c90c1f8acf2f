"""The packages of nodes that a project requires: code, which is only loaded from where the user has installed it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import FlowError, Problem, clipped

NODES: Final = Path.home() / ".ryven" / "nodes"
"""Where users of Ryven install packages."""


def installed_packages(project: Any, name: str, own: str) -> list[dict[str, str]]:
    """The packages that ``project`` requires besides our ``own``, each where the user has installed it.

    A package is code that runs when the project is opened, so one from anywhere else, such as next to the project, is
    refused. Raises FlowError.
    """
    required = project.get("required packages")
    required = required if isinstance(required, list) else []
    names = [Path(str(p.get("name", ""))).name for p in required if isinstance(p, dict)]
    found = {package: _installed(package) for package in dict.fromkeys(names) if package not in ("", own)}
    if missing := [package for package, folder in found.items() if folder is None]:
        wanted = ", ".join(clipped(name, 60) for name in missing[:5])
        message = f"needs the packages {wanted}; put them into {NODES}, if you trust them."
        raise FlowError([Problem(message, name)])
    return [{"name": package, "dir": str(folder)} for package, folder in found.items()]


def _installed(package: str) -> Path | None:
    import ryven

    if package in (".", ".."):
        return None
    places = (NODES, Path(ryven.__file__).parent / "example_nodes")
    return next((place / package for place in places if os.path.isfile(place / package / "nodes.py")), None)
