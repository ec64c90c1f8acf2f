"""What the editor opens: a project and its origin. Every project is scanned before Ryven reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.host.required_packages import installed_packages
from ryven_llm_nodes.program.carried import COPY
from ryven_llm_nodes.program.flow import read_project, root_of
from ryven_llm_nodes.program.project import project as empty_project

PACKAGE_FOLDER: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Opened:
    """A project to be opened in the editor.

    ``path`` is the file that it is saved to, None if it has no file yet; ``root`` the folder that
    relative paths are looked up in, None for the current one; ``origin`` what it is a copy of.
    """

    content: Mapping[str, Any]
    path: Path | None = None
    root: Path | None = None
    origin: Path | None = None


def open_file(path: Path) -> Opened:
    """The project at ``path``, or a copy of the flow embedded in a script or a folder. Raises FlowError."""
    content = read_project(path)
    root = root_of(content, path)
    loaded = with_packages(content, str(path))
    if content.get(COPY) or path.suffix == ".py" or os.path.isdir(path):
        return Opened(loaded, root=root, origin=path)
    return Opened(loaded, path, root)


def open_new(template: str | None = None, project: Mapping[str, Any] | None = None) -> Opened:
    """A new project: from ``template`` (a key of TEMPLATES), as given by ``project``, or empty. Raises UsageError."""
    from ryven_llm_nodes.templates import project_from

    content = project_from(template) if template is not None else project or empty_project("pipeline", [], [])
    return Opened({**content, "required packages": []})


def with_packages(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """``content`` with its required packages, as installed by the user. Raises FlowError for a missing one."""
    return {**content, "required packages": installed_packages(content, name, PACKAGE_FOLDER.name)}
