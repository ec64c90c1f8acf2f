"""Remembers what the user of this machine has allowed of the code in flows: opening runs nothing, running asks once.

:func:`ryven_llm_nodes.run.run_program` asks nothing: its callers do.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import ryven_llm_nodes
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program.graph import Graph
from ryven_llm_nodes.run.trust.foreign import Foreign, foreign_code, python
from ryven_llm_nodes.system.userdirs import state_dir

__all__ = ["Foreign", "foreign_code", "refusal", "remember", "unseen"]

STORE: Final = "seen.jsonl"
PACKAGE_FOLDER: Final = Path(ryven_llm_nodes.__file__).resolve().parent
LARGEST_STORE: Final = 64 * 2**20


def unseen(graph: Graph, output_dir: Path | None = None) -> list[Foreign]:
    """What of :func:`foreign_code` the user of this machine has not allowed, each once.

    Code that comes with this package is always allowed.
    """
    found = {item.digest: item for item in foreign_code(graph, output_dir) if not _is_shipped(item)}
    seen = _seen() if found else frozenset()
    return [item for digest, item in found.items() if digest not in seen]


def refusal(items: Iterable[Foreign], remedy: str) -> FlowError:
    """The error of a flow that is not run because of ``items``, one line each."""
    return FlowError([item.problem(remedy) for item in items])


def remember(items: Iterable[Foreign]) -> str:
    """Records that the user has reviewed ``items``. Returns why that was not possible, or nothing.

    A run does not fail because of that: the question is asked again. Each call appends complete lines in one write,
    so that concurrent processes do not lose each other's lines.
    """
    lines = [json.dumps({"sha256": item.digest, "what": f"{item.label}: {item.what}"}) for item in items]
    if not lines:
        return ""
    store = state_dir() / STORE
    try:
        store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(store, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:  # begins with a newline: the previous line may have been truncated
            os.write(handle, "\n".join(["", *lines, ""]).encode())
        finally:
            os.close(handle)
    except OSError as error:
        return f"{store} cannot be written ({error.strerror}); you will be asked again."
    return ""


def _seen() -> frozenset[str]:
    """The digests in the store; none if it cannot be read, and without broken lines."""
    store = state_dir() / STORE
    try:
        if not os.path.isfile(store) or store.stat().st_size > LARGEST_STORE:
            return frozenset()
        lines = store.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()  # asking again is the safe choice
    return frozenset(digest for line in lines if (digest := _digest_in(line)))


def _digest_in(line: str) -> str | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    digest = data.get("sha256") if isinstance(data, dict) else None
    return digest if isinstance(digest, str) else None


# Code of this package's own


def _is_shipped(item: Foreign) -> bool:
    return item.language == "python" and _sha(item.content) in _shipped()


@lru_cache
def _shipped() -> frozenset[str]:
    """The digest of every string in a file of this package that draws flows or has default code."""
    files = [
        *PACKAGE_FOLDER.glob("catalogue/**/*.py"),
        *PACKAGE_FOLDER.glob("demo/**/*.py"),
        PACKAGE_FOLDER / "recipes.py",
        PACKAGE_FOLDER / "templates.py",
    ]
    return frozenset(_sha(python(text)) for file in files for text in _texts(file))


def _texts(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
