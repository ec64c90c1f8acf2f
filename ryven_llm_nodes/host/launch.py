"""Starts the editor: Ryven, with the nodes of this package and its shell."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import LLMNodesError, UsageError, one_line, suggestion
from ryven_llm_nodes.host.required_packages import installed_packages
from ryven_llm_nodes.program.flow import read_project
from ryven_llm_nodes.program.project import project as empty_project

PACKAGE_FOLDER: Final = Path(__file__).resolve().parents[1]
DEBIAN: Final = "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libxcb-cursor0 libxkbcommon-x11-0"
"""What PySide6 needs of a Debian or Ubuntu that has no desktop."""


def edit(flow: Path | None = None, template: str | None = None, project: Mapping[str, Any] | None = None) -> int:
    """Opens the editor, and returns its exit status once its window is closed.

    It shows the project at ``flow``, or a new one: from ``template`` (a key of TEMPLATES), as given by ``project``, or
    empty. Raises LLMNodesError for what cannot be opened, and where there is no display.
    """
    content = _content(flow, template, project)
    app = application()
    window = open_window(content, app, flow)
    status = app.exec()
    window.llm_shell.runs.shut_down()
    return status


def _content(flow: Path | None, template: str | None, project: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if flow is not None:
        content = read_project(flow)
        return {**content, "required packages": installed_packages(content, str(flow), PACKAGE_FOLDER.name)}
    if template is not None:
        return {**_template(template), "required packages": []}
    return {**(project or empty_project("pipeline", [], [])), "required packages": []}


def _template(name: str) -> Mapping[str, Any]:
    from ryven_llm_nodes.templates import TEMPLATES

    if name not in TEMPLATES:
        known = ", ".join(TEMPLATES)
        raise UsageError(f"there is no template {name!r}.{suggestion(name, list(TEMPLATES))} There are: {known}.")
    return TEMPLATES[name]()


def application() -> Any:
    """The Qt application. Raises LLMNodesError, where Qt itself would end the process."""
    os.environ["QT_API"], os.environ["RYVEN_MODE"] = "pyside6", "gui"
    no_display = not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform.startswith("linux") and no_display:
        raise LLMNodesError("there is no display; set DISPLAY, or use `ryven-llm run` and `ryven-llm export`.")
    try:
        from PySide6.QtWidgets import QApplication
    except ImportError as error:
        raise LLMNodesError(f"Qt does not start ({error}); on Debian or Ubuntu: apt install {DEBIAN}") from error
    return QApplication.instance() or QApplication(["ryven-llm"])


def open_window(content: Mapping[str, Any], app: Any, path: Path | None = None) -> Any:
    """A main window of Ryven that shows the project ``content`` and has the shell; it is saved to ``path``.

    Raises LLMNodesError where Ryven cannot open the project.
    """
    from ryven.main import config

    from ryven_llm_nodes.host import packages, versions, window_style  # noqa: F401  # their workarounds

    versions.apply_workarounds()  # before Ryven is imported
    from ryven_llm_nodes.host import canvas, node_list, ports  # noqa: F401

    versions.apply_workarounds()
    config.instance = None  # main/config.py:63 of ryven 3.5.0: a second window in one process is refused
    with _file(content) as file, _quiet() as printed:
        try:
            window = _start(file, app)
        except (Exception, SystemExit) as error:
            raise _cannot_open(path, error, printed.getvalue()) from error
    from ryven_llm_nodes.gui.shell import install_shell

    install_shell(window, path)
    return window


def _start(file: Path, app: Any) -> Any:
    """``animations=False``: a node would flash for every wire that is drawn, and raise once it is deleted."""
    from ryven.main.Ryven import run

    return run(
        str(file),
        qt_app=app,
        use_sysargs=False,
        show_dialog=False,
        nodes={str(PACKAGE_FOLDER)},
        qt_api="pyside6",
        animations=False,
        window_title="Ryven",
    )


@contextlib.contextmanager
def _file(content: Mapping[str, Any]) -> Iterator[Path]:
    """A file for Ryven to read: what was scanned is what is opened, whatever happens to the original meanwhile."""
    with tempfile.TemporaryDirectory(prefix="ryven-llm-") as folder:
        file = Path(folder, "flow.json")
        file.write_text(json.dumps({**_DEFAULTS, **content}), encoding="utf-8")
        yield file


_DEFAULTS: Final[Mapping[str, Any]] = {
    "general info": {"type": "Ryven project file", "ryven version": "3.5.0"},
    "required packages": [],
    "addons": {},
}


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
