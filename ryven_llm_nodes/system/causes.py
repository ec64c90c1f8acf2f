"""The message of a library's exception, in one line of limited length, with a remedy if one is known."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ryven_llm_nodes.errors import Explained, LLMNodesError, one_line

HINTS: Final = (
    ("out of memory", "Lower per_device_train_batch_size, connect a LoRA adapter, or set gradient_checkpointing."),
    ("no space left", "Free disk space."),
    ("permission denied", "Choose a place that this user can read and write."),
    ("is not a local folder and is not a valid model", "Correct the path of Load Model; check access and network."),
    ("no module named", "Install it where this runs, or correct the import."),
    ("corresponds to no data", "Use data with rows, or correct the split."),
    ("offline mode is enabled", "Unset HF_HUB_OFFLINE, or use a local folder."),
    ("gated repo", "Accept the model's terms on the Hub and log in with `hf auth login`."),
    (
        "abruptly died during map",
        "Memory may be short, or the cache of datasets (HF_HOME) was deleted: run again, or clear dataset_num_proc.",
    ),
)
LONGEST: Final = 400
MOST_CAUSES: Final = 4


NOT_CONNECTED: Final = "couldn't connect to"
"""What transformers says of a model that is neither here nor can be fetched."""
UNREACHABLE: Final = frozenset({"OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectionError", "ConnectError"})


def is_unreachable(error: BaseException) -> bool:
    """Whether ``error`` says that the Hub cannot be reached, rather than that something is wrong."""
    causes = list(_causes(error))
    is_named = not UNREACHABLE.isdisjoint(type(one).__name__ for one in causes)
    return is_named or any(NOT_CONNECTED in str(one) for one in causes)


def describe(error: BaseException) -> str:
    """The message of an exception, in one line of limited length, with a remedy if one is known."""
    if isinstance(error, Explained | LLMNodesError):
        return one_line(str(error))
    if NOT_CONNECTED in str(error):
        return _not_fetched(_causes(error)[-1])
    texts = [f"{type(one).__name__}: {_said(one)}" for one in _causes(error)]
    hint = next((hint for words, hint in HINTS if words in " ".join(texts).lower()), "")
    return f"{' Cause: '.join(texts)} {hint}".rstrip()


def _not_fetched(cause: BaseException) -> str:
    """A model of the Hub is not here: transformers says so in a paragraph, of which the last ``cause`` tells more."""
    if "traffic has been disabled" in str(cause):
        why, remedy = "HF_HUB_OFFLINE keeps it from being fetched", "Unset it"
    else:
        told = f"{type(cause).__name__}: {_said(cause).rstrip('.')}"
        why, remedy = f"the Hub cannot be reached ({told})", "Check the network"
    return f"it is not among the downloaded models, and {why}. {remedy}, or use a local folder."


def _causes(error: BaseException) -> list[BaseException]:
    """``error`` and what it was raised ``from``, as far as that adds information."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and len(found) < MOST_CAUSES and one not in found:
        if not found or (str(one).strip() and one_line(str(one)) not in " ".join(map(_said, found))):
            found.append(one)
        one = one.__cause__
    return found


def _said(error: BaseException) -> str:
    """One sentence of limited length."""
    text = one_line(str(error)) or f"no message{_origin(error)}"
    short = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return f"{short}{'' if short.endswith(('.', '!', '?')) else '.'}"


def _origin(error: BaseException) -> str:
    """The origin of an error without a message."""
    frames = traceback.extract_tb(error.__traceback__)
    return f", from {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """``error`` and its causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


# Memory


def forget(error: BaseException) -> None:
    """Frees what the failed code still references, such as a trainer and its model, by dropping its traceback."""
    for one in chain(error):
        traceback.clear_frames(one.__traceback__)
        one.__traceback__ = None
    gc.collect()  # a trainer is part of a reference cycle
    torch = sys.modules.get("torch")
    if torch is not None and torch.accelerator.is_available():
        torch.accelerator.empty_cache()
