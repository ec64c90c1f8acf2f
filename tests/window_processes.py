"""All windows in a process of their own: a size, a scale and a scheme hold for a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

TESTS = Path(__file__).parent
SCHEMES: Final = ("dark", "light")
PATIENCE: Final = 300
"""Seconds for all windows, which takes about seven: a busy machine is no fault of this package."""


def measured(
    folder: Path, size: tuple[int, int], scale: float, scheme: str, pictures: Path | None = None
) -> dict[str, Any]:
    """What ``measure_windows.py`` tells of all windows on such a screen; it also writes them into ``pictures``."""
    pixels = {"width": round(size[0] * scale), "height": round(size[1] * scale)}
    screen = {"name": "one", "x": 0, "y": 0, **pixels, "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    (folder / "screen.json").write_text(json.dumps({"windowFrameMargins": False, "screens": [screen]}))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS))),
        "QT_API": "pyside6",
        "QT_QPA_PLATFORM": f"offscreen:configfile={folder / 'screen.json'}",
        "QT_SCALE_FACTOR": str(scale),
        "RYVEN_LLM_APPEARANCE": scheme,
        "RYVEN_LLM_STATE": str(folder / "state"),
    }
    if pictures:
        environment["PICTURES"] = str(pictures)
    command = [sys.executable, str(TESTS / "measure_windows.py"), str(folder / "work")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
