"""Where the next run of a flow would resume, told without running it: by what a run itself decides."""

from __future__ import annotations

from pathlib import Path

from ryven_llm_nodes.catalogue.files import CHECKPOINTS, FINISHED
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run.store.decisions import Decision
from ryven_llm_nodes.run.store.keys import keys_of
from ryven_llm_nodes.run.store.links import STORE
from ryven_llm_nodes.run.store.output import Stages


def resumable(program: Program, output_dir: Path) -> dict[str, Decision]:
    """The stages of ``program`` that a run into ``output_dir`` would resume, by name. Changes nothing there.

    Where a stage was stopped, this reads the local files of the flow, in full if they have changed: for a thread.
    """
    steps = [step for step in program.steps if step.node.is_stage]
    if not has_unfinished(output_dir) and all(step.node.first_part(step.given) is None for step in steps):
        return {}
    stages = Stages(output_dir, (output_dir / STORE).is_dir())
    keys = keys_of(program, stages.ending)
    decided = {step.name: stages.decide(step.name, keys[step.name], False) for step in steps}
    return {name: decision for name, decision in decided.items() if decision.action == "resume"}


def has_unfinished(output_dir: Path) -> bool:
    """Whether a stage in ``output_dir`` has a checkpoint and no end. Lists folders, and reads no file."""
    found = (*output_dir.glob(f"{STORE}/*/{CHECKPOINTS}"), *output_dir.glob(f"*/{CHECKPOINTS}"))
    return any(any(one.glob("checkpoint-*")) for one in found if not (one.parent / FINISHED).exists())
