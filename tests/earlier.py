"""Output folders as the version before the store left them, made of those that runs leave now."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ryven_llm_nodes.run.store.links import STORE, names_in


def as_before_the_store(output_dir: Path) -> None:
    """Puts each stage under its name again, with what that version noted of it."""
    for name, entry in list(names_in(output_dir)):
        (output_dir / name).unlink()
        os.rename(output_dir / STORE / entry, output_dir / name)
        _note_as_before(output_dir / name)
    (output_dir / STORE).rmdir()


def _note_as_before(folder: Path) -> None:
    record = json.loads((folder / "stage.json").read_text())
    kept = {name: record[name] for name in ("digest", "since", "parts", "records", "ended at") if name in record}
    (folder / "stage.json").write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
    for mark in folder.glob("checkpoints/*/.key"):
        mark.unlink()
    flow = json.loads((folder / "flow.json").read_text())
    root = os.path.relpath(folder.parent / STORE / "entry" / flow["paths from"], folder)
    (folder / "flow.json").write_text(json.dumps({**flow, "paths from": root}, indent=2, ensure_ascii=False) + "\n")
