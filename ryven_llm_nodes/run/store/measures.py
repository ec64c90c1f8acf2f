"""What evaluations have measured of models of the store: a later run with the same baseline need not load it again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.run.store.keys import versions
from ryven_llm_nodes.run.store.links import STORE
from ryven_llm_nodes.system.files import write_whole

MEASURES: Final = "run-measures"
"""The folder in an output folder; no stage can have this name."""
MEASURER: Final = "Measured"
HELD: Final = "KEPT"
"""What ``runtime/evaluation.py`` calls the class that measures, and the dictionary in which it keeps what it has."""


class KeptMeasures(dict[Hashable, Any]):
    """The measures of a process (``KEPT`` in ``runtime/evaluation.py``), and those in files of ``output_dir``.

    The first item of a key is the folder of the model. A model that is no entry of the store may change under its
    name, so what is measured of it stays in this process. A file also depends on versions, threads, and the device.
    """

    def __init__(self, output_dir: Path) -> None:
        super().__init__()
        self.output_dir = output_dir

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or self._read(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if file := self._file(key):
            with suppress(OSError):  # a full disk costs the measure, not the run
                write_whole(file, json.dumps(value))

    def _read(self, key: Any) -> bool:
        """Whether a file holds the measure, which is then taken from it."""
        file = self._file(key)
        try:
            value = json.loads(file.read_text(encoding="utf-8")) if file else None
        except (OSError, ValueError):
            return False
        if value is not None:
            super().__setitem__(key, value)
        return value is not None

    def _file(self, key: Any) -> Path | None:
        entry = Path(os.path.realpath(key[0]))
        if entry.parent != Path(os.path.realpath(self.output_dir)) / STORE:
            return None
        about = json.dumps([entry.name, key[1:], versions(), _machine()], sort_keys=True)
        return self.output_dir / MEASURES / f"{hashlib.sha256(about.encode()).hexdigest()[:24]}.json"


def _machine() -> list[Any]:
    """What rounding depends on."""
    import torch

    return [torch.get_num_threads(), torch.accelerator.is_available()]
