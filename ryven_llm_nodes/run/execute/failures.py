"""Turns an exception of a run into one line that names the node, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

from ryven_llm_nodes.errors import Explained, LLMNodesError, StageError
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.broken_data import broken_data
from ryven_llm_nodes.run.execute.refusals import refusal
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.store.kept import lacks, newest_step
from ryven_llm_nodes.system.causes import describe


def stage_error(error: BaseException, step: Step, program: Program, loaded: LoadedProgram) -> StageError:
    """The error of ``step``, attributed to the reward function whose code raised it, if it was one."""
    if isinstance(error, StageError):  # it already says what to do
        return StageError(error.problem)
    culprit, lines = step, list(loaded.lines_of(error.__traceback__))
    rewards = {part.owner for part in program.rewards(step)}
    for number in lines:
        owner = program.graph.by_name.get(loaded.script.step_at(number) or "")
        culprit = owner if owner is not None and (owner.node.holds_code or owner.name in rewards) else culprit
    message = _message(error, step, program, loaded.output_dir)
    if culprit is not step:
        message += f" (while {step.label} was running)"
    line = loaded.line_in_code(culprit, lines)
    return StageError(culprit.problem(message) if line is None else culprit.problem(f"line {line}: {message}", "code"))


def death(error: BaseException, step: Step, output_dir: Path) -> StageError:
    """The error of ``step``, whose process ended without a word; ``error`` says how."""
    cause = refusal(error, output_dir, _batch_size(step)) or describe(error)
    return StageError(step.problem(f"{cause} {_again(output_dir / step.name)}"))


def _batch_size(step: Step) -> int | None:
    name = "per_device_train_batch_size"
    return step.setting(name) if name in step.node.all_parameters() else None


def _message(error: BaseException, step: Step, program: Program, output_dir: Path) -> str:
    if isinstance(error, Explained | LLMNodesError):
        return describe(error)
    if gone := _gone(step, program, output_dir):
        return f"{gone} Run again: what is missing is trained again."
    if cause := refusal(error, output_dir, _batch_size(step)):
        return f"{cause} {_again(output_dir / step.name)}"
    if split := _unknown_split(error):
        return split
    return broken_data(lambda: step.node.data_files(program.context(step))) or describe(error)


def _unknown_split(error: BaseException) -> str | None:
    """What to do where the data have no split of that name."""
    found = re.match(r"Unknown split \"(.*?)\"\. Should be one of \[(.*)\]", str(error))
    return f"the data have no split {found[1]!r}, but {found[2]}. Set split to one of these." if found else None


def _gone(step: Step, program: Program, output_dir: Path) -> str | None:
    """Which folder of the run is missing: that of ``step``, or one that it reads."""
    names = [step.name, *(wire.step for wire in step.wires.values())]
    for owner in (program.graph.by_name[name] for name in names):
        folder = output_dir / owner.name
        gone = not folder.is_dir() if owner is step else lacks(folder)
        if owner.node.is_stage and gone:
            whose = "its folder" if owner is step else f"the model of {owner.label}"
            return f"{whose} was deleted during the run: {folder}."
    return None


def _again(folder: Path) -> str:
    """What the next run would do."""
    return f"Then run again: {the_next_run(folder)}."


def the_next_run(folder: Path) -> str:
    """What the next run does about the stage in ``folder``, which has not finished."""
    step = newest_step(folder)
    return f"training resumes from step {step}" if step else "finished stages are reused"
