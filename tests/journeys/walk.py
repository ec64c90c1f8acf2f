"""Walks through the journeys on a virtual screen, with real mouse and keys: counts, measures and keeps pictures.

    python tests/journeys/walk.py                 # all of them, into examples/journeys
    python tests/journeys/walk.py own-data --into /tmp/pictures

Needs Xvfb, xdotool, openbox and ImageMagick. A journey that cannot be completed is recorded with the reason.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from desk import Desk, screen
from journeys import JOURNEYS, Journey
from page import write_page

PLACE = Path(__file__).resolve().parents[2] / "examples" / "journeys"


def walk(name: str, journey: Journey, display: str, into: Path) -> dict[str, Any]:
    """What one journey took, and what was seen, or why it ended."""
    for old in into.glob(f"{name}-[0-9]*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="journey-", ignore_cleanup_errors=True) as home:
        desk = Desk(display, Path(home), into, name)
        try:
            told = {"seen": journey.walk(desk)}
        except Exception as error:
            traceback.print_exc()
            told = {"failed": f"{type(error).__name__}: {error}".split("\n")[0][:300]}
            desk.picture("Here it ended")
        finally:
            desk.end()
    return {**asdict(desk.told), **told}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*JOURNEYS, []], metavar="JOURNEY", help=", ".join(JOURNEYS))
    parser.add_argument("--into", type=Path, default=PLACE)
    parser.add_argument("--machine", default="", help="a sentence on the page about the machine")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    results = options.into / "results.json"
    found = json.loads(results.read_text()) if results.is_file() else {}
    for name in options.names or JOURNEYS:
        with screen() as display:
            found[name] = walk(name, JOURNEYS[name], display, options.into)
        print(name, {key: value for key, value in found[name].items() if key != "pictures"}, flush=True)
        results.write_text(json.dumps(found, indent=1) + "\n")
    write_page(options.into, found, options.machine)


if __name__ == "__main__":
    main()
