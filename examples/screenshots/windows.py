"""Makes the pictures of all windows, in ``windows/dark`` and ``windows/light``: the scenes of the tests.

    python examples/screenshots/windows.py

Nothing is trained: curves, runs and findings are made up, with long names and paths, as ``tests/window_scenes.py`` has
them. ``make.py`` takes pictures of a real run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from window_processes import SCHEMES, measured

SIZE = (1440, 900)


def main() -> None:
    """Writes the pictures of both schemes, and what is wrong with one."""
    for scheme in SCHEMES:
        pictures = HERE / "windows" / scheme
        shutil.rmtree(pictures, ignore_errors=True)
        pictures.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as folder:
            told = measured(Path(folder), SIZE, 1.0, scheme, pictures)
        print(pictures, len(list(pictures.iterdir())), {name: found for name, found in told["faults"].items() if found})


if __name__ == "__main__":
    main()
