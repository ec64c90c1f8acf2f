"""Stages that make a report: each in a folder of its own, cached like a model."""

import json
from collections.abc import Callable
from pathlib import Path

from accelerate import PartialState

from .checkpoints import finish_stage, is_finished
from .pipeline import Pipeline
from .stages import release_memory


def make_report(pipeline: Pipeline, stage: str, make: Callable[..., object], **inputs: object) -> str:
    """Make a report, unless it is finished; return the folder that holds it, as `report.json`.

    Every process calls `make` with `inputs`; the result on the main process, as JSON, is the report.
    """
    folder = pipeline.output_dir / stage
    if is_finished(folder) or pipeline.only not in (None, stage):
        return str(folder)
    pipeline.require_finished(stage, inputs)
    release_memory()
    write_report(folder, make(**inputs))
    finish_stage(folder)
    return pipeline.made(stage, folder)


def write_report(folder: Path, report: object) -> None:
    """Write `report.json` into `folder`, from the main process, and its text, if it has one, as `report.md`."""
    if PartialState().is_main_process:
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(report, dict) and "markdown" in report:
            (folder / "report.md").write_text(report["markdown"], encoding="utf-8")
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    PartialState().wait_for_everyone()
