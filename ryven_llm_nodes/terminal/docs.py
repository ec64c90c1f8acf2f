"""Writes the documentation of the nodes as a site: one page per node, an index, and the settings of mkdocs-material."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue import GROUPS
from ryven_llm_nodes.catalogue.pages import file_of, page_of
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program.examples import example_of
from ryven_llm_nodes.system.files import write_whole

SETTINGS: Final = "mkdocs.yml"
MARK: Final = "# Written by `ryven-llm docs`: one page per node, from its declarations."
HEAD: Final = f"""{MARK}
site_name: Ryven LLM nodes
theme:
  name: material
  features: [navigation.sections, navigation.top, content.code.copy, search.suggest]
  palette:
    - media: "(prefers-color-scheme: light)"
      scheme: default
      toggle: {{icon: material/weather-sunny, name: Dark}}
    - media: "(prefers-color-scheme: dark)"
      scheme: slate
      toggle: {{icon: material/weather-night, name: Light}}
markdown_extensions: [tables, pymdownx.highlight, pymdownx.superfences]
nav:
  - Overview: index.md
"""


def write_docs(folder: Path) -> int:
    """Writes the site to ``folder``; returns the number of pages. Raises UsageError where something else is there."""
    settings = folder / SETTINGS
    if os.path.isdir(folder) and os.listdir(folder) and not _is_ours(settings):
        raise UsageError(f"{folder} contains something else; choose a new folder.")
    pages = {
        f"nodes/{file_of(node)}.md": page_of(node, example_of(node)) for group in GROUPS.values() for node in group
    }
    for name, text in {"index.md": _index(), **pages}.items():
        write_whole(folder / "docs" / name, text)
    write_whole(settings, HEAD + "\n".join(_navigation()) + "\n")
    return len(pages) + 1


def _is_ours(settings: Path) -> bool:
    return settings.is_file() and settings.read_text(encoding="utf-8", errors="replace").startswith(MARK)


def _index() -> str:
    lines = ["# Nodes", "", "A flow is a graph of these nodes; each contributes a piece of Python to one script.", ""]
    for title, nodes in GROUPS.items():
        lines += [f"## {title}", "", "| node | what it does |", "| --- | --- |"]
        lines += [f"| [{node.title}](nodes/{file_of(node)}.md) | {node.summary()} |" for node in nodes]
        lines.append("")
    return "\n".join(lines)


def _navigation() -> Iterator[str]:
    for title, nodes in GROUPS.items():
        yield f"  - {title}:"
        for node in nodes:
            yield f'    - "{node.title}": nodes/{file_of(node)}.md'
