"""Starts Ryven with the nodes of this package, in this process or another; the editor is built on its window."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import LLMNodesError, one_line
from ryven_llm_nodes.host.opening import PACKAGE_FOLDER
from ryven_llm_nodes.program.mending import mended

DEBIAN: Final = "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libxcb-cursor0 libxkbcommon-x11-0"
"""Packages that PySide6 needs on Debian or Ubuntu without a desktop."""


def start_another(path: Path) -> None:
    """Opens ``path`` in an editor of its own process: Ryven has one main window per process. Raises LLMNodesError.

    It imports from the same paths as this process. ``-m`` would look into the current folder first, which may contain
    untrusted files.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; from ryven_llm_nodes.cli import main; main()"
    command = [sys.executable, "-c", code, "edit", os.path.abspath(path)]
    try:
        _others.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **_DETACHED))
    except OSError as error:
        raise LLMNodesError(f"cannot start another editor for {path}: {error.strerror}; close this one.") from error


_DETACHED: Final[Mapping[str, Any]] = (
    {"creationflags": 0x208} if sys.platform == "win32" else {"start_new_session": True}  # detached, own group
)
_others: Final[list[subprocess.Popen[bytes]]] = []
"""Kept referenced: Python warns of a process that is garbage-collected while it runs."""


def application() -> Any:
    """The Qt application. Raises LLMNodesError where Qt itself would abort the process."""
    os.environ["QT_API"], os.environ["RYVEN_MODE"] = "pyside6", "gui"
    no_display = not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform.startswith("linux") and no_display:
        raise LLMNodesError("there is no display; set DISPLAY, or use `ryven-llm run` and `ryven-llm export`.")
    try:
        from ryven_llm_nodes.host.application import Application
    except ImportError as error:
        raise LLMNodesError(f"Qt does not start ({error}); on Debian or Ubuntu: apt install {DEBIAN}") from error
    return Application.instance() or Application(["ryven-llm"])


def open_ryven(content: Mapping[str, Any], app: Any, path: Path | None = None, style: str = "") -> Any:
    """A main window of Ryven that shows the project ``content``, ``style`` added to its style sheet.

    Raises LLMNodesError where Ryven cannot open the project, which ``path`` names.
    """
    from ryven.main import config

    from ryven_llm_nodes.host import packages, versions, window_style  # noqa: F401  # their workarounds

    window_style.add_style(style)
    versions.apply_workarounds()  # before Ryven is imported
    from ryven_llm_nodes.host import (  # noqa: F401
        annotations,
        canvas,
        drawing,
        dropping,
        making,
        navigation,
        node_list,
        pictures,
        ports,
        shaping,
        wires,
    )

    versions.apply_workarounds()
    config.instance = None  # main/config.py:63 of ryven 3.5.0: a second window in one process is refused
    with _file(content) as file, _quiet() as printed:
        try:
            return _start(file, app)
        except (Exception, SystemExit) as error:
            raise _cannot_open(path, error, printed.getvalue()) from error


def _start(file: Path, app: Any) -> Any:
    """``animations=False``: a node would flash for every new wire, and raise once it is deleted.

    ``defer_code_loading=True``: the source of a node is read when its tab is shown, not that of all at the start.
    """
    from ryven.main.Ryven import run

    from ryven_llm_nodes.host.palette import SCHEME

    return run(
        str(file),
        qt_app=app,
        use_sysargs=False,
        show_dialog=False,
        nodes={str(PACKAGE_FOLDER)},
        qt_api="pyside6",
        animations=False,
        defer_code_loading=True,
        window_title="Ryven",
        window_theme=SCHEME,
    )


@contextlib.contextmanager
def _file(content: Mapping[str, Any]) -> Iterator[Path]:
    """A file for Ryven to read: exactly what was scanned is opened, even if the original changes meanwhile."""
    with tempfile.TemporaryDirectory(prefix="ryven-llm-") as folder:
        file = Path(folder, "flow.json")
        file.write_text(json.dumps(mended(content)), encoding="utf-8")
        yield file


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    """Ryven prints what it loads."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        yield printed


def _cannot_open(path: Path | None, error: BaseException, printed: str) -> LLMNodesError:
    if isinstance(error, LLMNodesError):
        return error
    reason = one_line(str(error)) or type(error).__name__
    return LLMNodesError(f"Ryven cannot open {path or 'the project'}: {reason}")
