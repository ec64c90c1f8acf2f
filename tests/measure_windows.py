"""Measures all windows at one size, scale and scheme, which hold for a process: prints what is wrong, as JSON.

``PICTURES=folder`` writes a picture of each as well.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from legibility import faults, faults_of_least, faults_of_opening
from qtpy.QtWidgets import QWidget
from window_scenes import SCENES, Desk, settle

from ryven_llm_nodes.host.palette import SCHEME


def main(folder: Path, names: list[str]) -> None:
    """The command line: a folder to work in, and the scenes, by default all."""
    folder.mkdir(parents=True, exist_ok=True)
    desk = Desk(folder)
    os.chdir(desk.folder)
    screen = desk.window.screen()
    told: dict[str, Any] = {"screen": [*screen.size().toTuple(), screen.devicePixelRatio()], "scheme": SCHEME}
    opening = list(faults_of_opening(desk.window))
    desk.window.resize(screen.availableSize())
    settle(0.3)
    texts: dict[str, list[str]] = {name: [] for name in names or SCENES}
    found = {name: list(dict.fromkeys(_measured(desk, name, texts[name]))) for name in texts}
    counts = {name: len(lines) for name, lines in texts.items()}
    print(json.dumps({**told, "texts": counts, "faults": {"opening": opening, **found}}))
    sys.stdout.flush()
    os._exit(0)  # threads and processes of windows end with it


def _measured(desk: Desk, name: str, texts: list[str]) -> Iterator[str]:
    """The faults of a scene in all of its states; ``texts`` takes what is written there."""
    for number, shown in enumerate(SCENES[name].shows(desk)):
        before = len(texts)
        if not shown.isVisible():  # the state of a window that was hidden after the state before
            shown.show()
            settle()
        _keep_picture(shown, f"{name.replace(' ', '-')}-{number + 1}.png")
        if shown.isWindow() and shown is not desk.window:
            yield from faults_of_opening(shown)
        yield from faults_of_least(shown)
        yield from faults(shown, texts)
        if len(texts) == before:
            yield f"state {number + 1} was not measured: it shows no text"
        if shown.isWindow() and shown is not desk.window:
            shown.hide()


def _keep_picture(shown: QWidget, name: str) -> None:
    if pictures := os.environ.get("PICTURES"):
        shown.grab().save(str(Path(pictures, name)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
