"""Starts the editor: Ryven's window with our nodes, our style and the shell. Every start goes through here.

Qt and Ryven are imported when they are needed: a bad flow is reported even without a display.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import LLMNodesError, one_line
from ryven_llm_nodes.host.launch import application, open_ryven
from ryven_llm_nodes.host.opening import Opened, open_file, open_new
from ryven_llm_nodes.host.recovery import LeftBehind, left_behind

PATIENCE_MS: Final = 10_000
Demo = Callable[[], Mapping[str, Any]]
"""Gives the flow of the demo."""


def load() -> None:
    """Registers the look of the nodes, applies the workarounds, and adds the shell once Ryven's window is complete.

    Ryven calls this through ``nodes.py``, also if the user has started Ryven itself.
    """
    from ryven_llm_nodes.gui.canvas import node_gui  # noqa: F401  # registers by being imported
    from ryven_llm_nodes.gui.style.theme import kind_colour, paint_pin
    from ryven_llm_nodes.gui.window.install import install_later
    from ryven_llm_nodes.gui.window.theming import use_theme

    # each brings its workarounds
    from ryven_llm_nodes.host import (  # noqa: F401
        canvas,
        console,
        dropping,
        loading,
        making,
        navigation,
        node_list,
        ports,
        shaping,
        versions,
        wires,
    )

    versions.apply_workarounds()
    loading.dress_windows(use_theme)
    ports.colour_ports(kind_colour, paint_pin)
    install_later()


def edit(flow: Path | None = None, template: str | None = None, demo: Demo | None = None) -> int:
    """Opens the editor, and returns its exit status once its window is closed.

    It shows the project at ``flow``, or a new one from ``template`` (a key of TEMPLATES), or the start page, which
    offers the flow that ``demo`` gives; or its recovered changes after a crash, if the user wants that. Raises
    LLMNodesError for what cannot be opened, and without a display. Where another window shows ``flow`` already, that
    comes to the front.
    """
    if flow is not None and _is_shown(flow):
        print(f"{flow} is open already; its window was brought to the front")
        return 0
    window = start(flow, template, demo=demo)
    status = application().exec()
    window.llm_shell.runs.shut_down()
    return int(status)


def _is_shown(flow: Path) -> bool:
    """Whether another window shows ``flow``, which then comes to the front."""
    if not flow.is_file() or left_behind(flow):
        return False
    open_file(flow)  # a bad flow is reported even without a display
    application()
    from ryven_llm_nodes.gui.document.one_window import raise_window

    return raise_window(flow)


def start(
    flow: Path | None = None,
    template: str | None = None,
    project: Mapping[str, Any] | None = None,
    demo: Demo | None = None,
) -> Any:
    """The main window that :func:`edit` shows."""
    left = left_behind(flow)
    opened = None if left else _given(flow, template, project)  # a bad flow is reported even without a display
    app = application()
    if left and (window := _recovered(left, app)) is not None:
        return window
    window = _show(opened or _given(flow, template, project), app)
    window.llm_shell.starting.demo = demo
    if flow is None and template is None and project is None:
        window.llm_shell.starting.show()
    return window


def _given(flow: Path | None, template: str | None, project: Mapping[str, Any] | None) -> Opened:
    return open_file(flow) if flow is not None else open_new(template, project)


def _show(opened: Opened, app: Any) -> Any:
    window = open_window(opened.content, app, opened.path)
    window.llm_shell.document.place(opened.path, opened.root, opened.origin)
    return window


def _recovered(left: list[LeftBehind], app: Any) -> Any | None:
    """A window with what the user chooses of ``left``; None if nothing is chosen, or it cannot be opened."""
    from ryven_llm_nodes.gui.document.recovery_question import choose

    if (chosen := choose(left)) is None:
        return None
    try:
        window = _show(chosen.opened(), app)
    except LLMNodesError as error:
        print(f"cannot recover {chosen.file}: {one_line(str(error))}", file=sys.stderr)
        return None
    window.llm_shell.take_over(chosen.file)
    return window


def open_window(content: Mapping[str, Any], app: Any, path: Path | None = None) -> Any:
    """A main window of Ryven that shows the project ``content`` and has the shell; it is saved to ``path``.

    Raises LLMNodesError where Ryven cannot open the project.
    """
    from ryven_llm_nodes.gui.concurrency.garbage_collection import hold_collection

    release = hold_collection()
    try:
        window = _opened_window(content, app, path)
    except BaseException:
        release()
        raise
    from qtpy.QtCore import QTimer

    from ryven_llm_nodes.gui.widgets.first_paint import first_paint

    first_paint(window).then(release)
    QTimer.singleShot(PATIENCE_MS, release)  # a window that is closed before it is painted
    return window


def _opened_window(content: Mapping[str, Any], app: Any, path: Path | None) -> Any:
    from ryven_llm_nodes.gui.style.sheets import WINDOW_STYLE

    window = open_ryven(content, app, path, WINDOW_STYLE)
    from ryven_llm_nodes.gui.window.install import install_shell  # imports Ryven, whose workarounds are applied by now

    install_shell(window, path)
    return window
