"""Turns an exception of a run into one line that names the node, and what to do."""

from __future__ import annotations

from typing import Final

from ryven_llm_nodes.errors import StageError, one_line
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.loaded import LoadedProgram

HINTS: Final = (
    ("out of memory", "Lower per_device_train_batch_size, wire a LoRA adapter, or set gradient_checkpointing."),
    ("can't allocate memory", "Lower per_device_train_batch_size, wire a LoRA adapter, or close other programs."),
    ("no space left", "Free disk space or choose another --output-dir."),
    ("permission denied", "Choose another --output-dir, or another place to save to."),
    ("read-only file system", "Choose another --output-dir, or another place to save to."),
    ("is not a local folder and is not a valid model", "Correct the path of Load Model; check access and network."),
    ("corresponds to no data", "Give data with rows, or correct the split."),
    ("couldn't connect to", "Check the network, or give a local folder."),
    ("offline mode is enabled", "Unset HF_HUB_OFFLINE, or give a local folder."),
    ("gated repo", "Accept the model's terms on the Hub and log in with `hf auth login`."),
)
LONGEST: Final = 400


def stage_error(error: BaseException, step: Step, program: Program, loaded: LoadedProgram) -> StageError:
    """The error of ``step``, laid at the door of the reward function whose code raised it, if it was one."""
    culprit, line = step, 0
    for number in loaded.lines_of(error.__traceback__):
        owner = program.graph.by_name.get(loaded.script.step_at(number) or "")
        if owner is not None and owner.node.holds_code:
            culprit, line = owner, number - loaded.script.definitions[owner.name][0]
    message = describe(error)
    if culprit is not step:
        return StageError(culprit.problem(f"line {line}: {message} (while {step.label} ran)", "code"))
    return StageError(step.problem(message))


def describe(error: BaseException) -> str:
    """What an exception says, in one line of bearable length, with a remedy where one is known."""
    text = one_line(str(error)) or "no message"
    short = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    hint = next((hint for words, hint in HINTS if words in text.lower()), "")
    return f"{type(error).__name__}: {short}{'' if short.endswith(('.', '!', '?')) else '.'} {hint}".rstrip()
