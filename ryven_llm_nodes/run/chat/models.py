"""The models that one can talk to: those that a flow loads or has trained, and those of earlier settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run.store.kept import Kept, kept_below

CONFIG: Final = "config.json"
"""The file that tells the folder of a model from that of a report."""


class ChatModel(NamedTuple):
    """A model by its ``location``, a Hub id or a folder, and what it is called."""

    title: str
    location: str


def models_of(program: Program, output_dir: Path) -> Iterator[ChatModel]:
    """The models that ``program`` loads, and those of its stages that are finished, in its order."""
    for step in program.steps:
        folder = output_dir / step.name
        pretrained = step.node.pretrained(program.context(step))
        if step.node.is_stage and step.node.leaves == "model" and (folder / CONFIG).is_file():
            yield ChatModel(step.name, str(folder))
        elif pretrained is not None and not pretrained.scores:
            yield ChatModel(step.name, pretrained.place(program.graph.root))


def cached_models(outputs: Path) -> Iterator[ChatModel]:
    """The models of all finished stages in ``outputs`` and the output folders in it, newest first."""
    kept = [one for one in kept_below(outputs) if one.finished and (one.folder / CONFIG).is_file()]
    for one in sorted(kept, key=lambda one: one.since, reverse=True):
        yield ChatModel(_title(one), str(one.folder))


def _title(kept: Kept) -> str:
    return f"{kept.output_dir.name} / {kept.title}"
