"""Makes the package appear in a stock Ryven, which looks for packages in ``~/.ryven/nodes``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.system.files import write_whole

PACKAGE: Final = "ryven_llm_nodes"
MARK: Final = "Shows Ryven the nodes of the installed package ryven_llm_nodes."
STUB: Final = f'''"""{MARK}

Ryven opens this folder, and imports the module "{PACKAGE}.nodes" by name. Python then takes the installed package, or,
where it is installed for development, this folder: which steps aside.
"""

import importlib
import sys
from pathlib import Path

PACKAGE, HERE, PATH = "{PACKAGE}", Path(__file__).resolve().parents[1], sys.path[:]
sys.path[:] = [entry for entry in PATH if Path(entry).resolve() != HERE]
for name in [name for name in sys.modules if name == PACKAGE or name.startswith(PACKAGE + ".")]:
    del sys.modules[name]
try:
    importlib.import_module(PACKAGE + ".nodes")
except ModuleNotFoundError as error:
    if error.name not in (PACKAGE, PACKAGE + ".nodes"):
        raise
    hint = "run `pip install ryven-llm-nodes` with it, or remove this folder"
    raise ModuleNotFoundError(f"{{PACKAGE}} is not installed for this Python: {{hint}}") from None
finally:
    sys.path[:] = PATH
'''
HOW_TO_START: Final = "Start it with `ryven -q pyside6`, then choose {file} in File > Import Nodes"
"""Ryven uses PySide2 by default."""


def install(folder: Path | None = None) -> Path:
    """Puts the package into ``folder`` (default ``~/.ryven/nodes``); returns the folder made there.

    Raises UsageError where something else of that name is there, or it cannot be written.
    """
    place = _place(folder)
    _refuse_foreign(place)
    write_whole(place / "nodes.py", STUB)
    return place


def uninstall(folder: Path | None = None) -> Path | None:
    """Removes what :func:`install` made; returns the folder, or None if there was none."""
    place = _place(folder)
    if not place.exists():
        return None
    _refuse_foreign(place)
    shutil.rmtree(place)
    return place


def _place(folder: Path | None) -> Path:
    return (folder or Path.home() / ".ryven" / "nodes") / PACKAGE


def _refuse_foreign(place: Path) -> None:
    """A folder that we did not make may contain the user's work."""
    if not place.exists() and not place.is_symlink():
        return
    try:
        ours = not place.is_symlink() and MARK in (place / "nodes.py").read_text(encoding="utf-8")
        ours = ours and {item.name for item in place.iterdir()} <= {"nodes.py", "__pycache__"}
    except (OSError, UnicodeError):
        ours = False
    if not ours:
        raise UsageError(f"{place} contains something else; move it away first.")
