"""Turns an exception of a run into one line that names the node, and what to do."""

from __future__ import annotations

import gc
import sys
import traceback
from pathlib import Path
from typing import Final

from ryven_llm_nodes.errors import Explained, LLMNodesError, Problem, StageError, one_line
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.broken_data import broken_data
from ryven_llm_nodes.run.execute.refusals import chain, refusal
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.calls import TookTooLong
from ryven_llm_nodes.run.store.kept import lacks, newest_step

HINTS: Final = (
    ("out of memory", "Lower per_device_train_batch_size, wire a LoRA adapter, or set gradient_checkpointing."),
    ("no space left", "Free disk space."),
    ("permission denied", "Choose a place that this user may read and write."),
    ("is not a local folder and is not a valid model", "Correct the path of Load Model; check access and network."),
    ("no module named", "Install it where this runs, or correct the import."),
    ("corresponds to no data", "Give data with rows, or correct the split."),
    ("couldn't connect to", "Check the network, or give a local folder."),
    ("offline mode is enabled", "Unset HF_HUB_OFFLINE, or give a local folder."),
    ("gated repo", "Accept the model's terms on the Hub and log in with `hf auth login`."),
    (
        "abruptly died during map",
        "Memory may be short, or the cache of data sets (HF_HOME) was deleted: run again, or clear dataset_num_proc.",
    ),
)
LONGEST: Final = 400
MOST_CAUSES: Final = 4


def stage_error(error: BaseException, step: Step, program: Program, loaded: LoadedProgram) -> StageError:
    """The error of ``step``, laid at the door of the reward function whose code raised it, if it was one."""
    if isinstance(error, StageError):  # it knows better
        return StageError(error.problem)
    culprit, lines = step, list(loaded.lines_of(error.__traceback__))
    for number in lines:
        owner = program.graph.by_name.get(loaded.script.step_at(number) or "")
        culprit = owner if owner is not None and owner.node.holds_code else culprit
    message = _message(error, step, program, loaded.module.output_dir)
    if culprit is not step:
        line = loaded.line_in_code(culprit, lines)
        return StageError(culprit.problem(f"line {line}: {message} (while {step.label} ran)", "code"))
    return StageError(step.problem(message))


def _message(error: BaseException, step: Step, program: Program, output_dir: Path) -> str:
    if isinstance(error, Explained | LLMNodesError):
        return describe(error)
    name = "per_device_train_batch_size"
    batch = step.setting(name) if name in step.node.all_parameters() else None
    if gone := _gone(step, program, output_dir):
        return f"{gone} Run again: what is missing is trained anew."
    if cause := refusal(error, output_dir, batch):
        return f"{cause} {_again(output_dir / step.name)}"
    return broken_data(step, program) or describe(error)


def _gone(step: Step, program: Program, output_dir: Path) -> str | None:
    """Which folder of the run is missing, that of ``step`` or one that it reads."""
    names = [step.name, *(wire.step for wire in step.wires.values())]
    for owner in (program.graph.by_name[name] for name in names):
        folder = output_dir / owner.name
        gone = not folder.is_dir() if owner is step else lacks(folder)
        if owner.node.family == "trainer" and gone:
            whose = "its folder" if owner is step else f"the model of {owner.label}"
            return f"{whose} is gone, deleted while this ran: {folder}."
    return None


def _again(folder: Path) -> str:
    """What another run would do."""
    step = newest_step(folder)
    kept = f"it goes on from step {step}" if step else "what is finished is kept"
    return f"Then run again: {kept}."


def forget(error: BaseException) -> None:
    """Gives back what the failed code still holds, a trainer and its model: its traceback, once that is told."""
    for one in chain(error):
        traceback.clear_frames(one.__traceback__)
        one.__traceback__ = None
    gc.collect()  # a trainer is part of a reference cycle
    torch = sys.modules.get("torch")
    if torch is not None and torch.accelerator.is_available():
        torch.accelerator.empty_cache()


def describe(error: BaseException) -> str:
    """What an exception says, in one line of bearable length, with a remedy where one is known."""
    if isinstance(error, Explained | LLMNodesError):
        return one_line(str(error))
    texts = [f"{type(one).__name__}: {_said(one)}" for one in _causes(error)]
    hint = next((hint for words, hint in HINTS if words in " ".join(texts).lower()), "")
    return f"{' Cause: '.join(texts)} {hint}".rstrip()


def _causes(error: BaseException) -> list[BaseException]:
    """``error`` and what it was raised ``from``, as far as that says something that is not said already."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and len(found) < MOST_CAUSES and one not in found:
        if not found or (str(one).strip() and one_line(str(one)) not in " ".join(map(_said, found))):
            found.append(one)
        one = one.__cause__
    return found


def _said(error: BaseException) -> str:
    """One sentence of bearable length."""
    text = one_line(str(error)) or f"no message{_origin(error)}"
    short = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return f"{short}{'' if short.endswith(('.', '!', '?')) else '.'}"


def _origin(error: BaseException) -> str:
    """Where an error comes from that says nothing else."""
    frames = traceback.extract_tb(error.__traceback__)
    return f", from {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""


def too_long(owner: Step, error: TookTooLong, loaded: LoadedProgram, when: str) -> Problem:
    """A reward function that did not return within its time limit; ``when`` that was, in brackets."""
    line = loaded.line_in_code(owner, [number for file, number in reversed(error.lines) if file == loaded.file])
    where = "" if line is None else f", and was at line {line}"
    remedy = "Look for a request without a timeout, or raise time_limit."
    return owner.problem(f"{error}{where} {when}. {remedy}", "time_limit")
