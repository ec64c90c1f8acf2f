"""Turns the libraries' warnings during a run into events, each text once, at the running stage.

Warnings can be decisive: a score head with random weights, rows that were dropped. Those that an ordinary run causes
itself are listed here, and only here, with the reason why they do not concern the user.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from ryven_llm_nodes.errors import one_line
from ryven_llm_nodes.program import Step
from ryven_llm_nodes.run.events import Listener, Warned

LIBRARIES: Final = ("transformers", "trl", "datasets", "accelerate", "peft")
LONGEST: Final = 600
USUAL: Final = (
    (
        "^`(is_)?gradient_checkpointing(_enable|_disable)?` is deprecated",
        "TRL and peft themselves still use these names",
    ),
    ("Failed to (read file|load JSON)", "the error of Load Dataset names file and line"),
    (
        "The tokenized prompt is not a prefix of the tokenized prompt\\+completion",
        "a finding says so before, with the row (run/examine/rules/templates.py)",
    ),
    ("you should set `remove_unused_columns=False` in your TrainingArguments we have set it", "TRL does it itself"),
    ("'pin_memory' argument is set as true but no accelerator", "a setting that has no effect"),
)
"""Regular expressions, and why warnings that match are left out."""
USUAL_TEXT: Final = re.compile("|".join(f"(?:{text})" for text, _ in USUAL))
FOR_DEVELOPERS: Final = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)

_step: ContextVar[Step | None] = ContextVar("step", default=None)


@contextmanager
def about(step: Step) -> Iterator[None]:
    """Inside, warnings are attributed to ``step``."""
    token = _step.set(step)
    try:
        yield
    finally:
        _step.reset(token)


@contextmanager
def hearing(listen: Listener) -> Iterator[None]:
    """Inside, warnings of Python and of the libraries' loggers go to ``listen``, and nowhere else."""
    ears = _Ears(listen)
    _forget_what_was_said()
    with warnings.catch_warnings(), _loggers(ears):
        warnings.simplefilter("always")
        for category in FOR_DEVELOPERS:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = ears.take_warning
        yield


class _Ears(logging.Handler):
    """Takes warnings from both ways that Python has."""

    def __init__(self, listen: Listener) -> None:
        super().__init__(logging.WARNING)
        self.listen = listen
        self.said: set[str] = set()

    def take_warning(self, message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        self.tell(str(message))

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(record.getMessage())

    def tell(self, text: str) -> None:
        text = re.sub(r"\x1b\[[0-9;]*m", "", one_line(text))
        if not text or text in self.said or USUAL_TEXT.search(text):
            return
        self.said.add(text)
        step, short = _step.get(), text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
        self.listen(Warned(step.name if step else "", "", f"{step.label}: {short}" if step else short))


@contextmanager
def _loggers(ears: _Ears) -> Iterator[None]:
    """The libraries' loggers get a single handler that prints nothing, and pass warnings."""
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers[:], logger.propagate = [ears], False
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, handlers, level, propagate in before:
            logger.handlers[:], logger.propagate = handlers, propagate
            logger.setLevel(level)


def _forget_what_was_said() -> None:
    """transformers and accelerate warn once per process; an editor runs several flows in one process."""
    from accelerate.logging import MultiProcessAdapter
    from transformers.utils import logging as hf

    said: tuple[Callable[..., Any], ...] = (hf.warning_once, MultiProcessAdapter.warning_once)
    for once in said:
        once.cache_clear()  # type: ignore[attr-defined]


@contextmanager
def unheard() -> Iterator[None]:
    """Inside, the libraries warn of nothing: it is not the user's training, which must still give each warning."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        _forget_what_was_said()
