"""Turns what the libraries warn of during a run into events, each text once, at the stage that runs.

Warnings decide at times: a score head with random weights, rows that were dropped. Those that an ordinary run causes by
itself are listed here, and only here, with the reason why they say nothing to its user.
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
    ("'pin_memory' argument is set as true but no accelerator", "a user's choice that has no effect"),
)
"""Regular expressions, and why what they fit is left out."""
USUAL_TEXT: Final = re.compile("|".join(f"(?:{text})" for text, _ in USUAL))
FOR_DEVELOPERS: Final = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)

_step: ContextVar[Step | None] = ContextVar("step", default=None)


@contextmanager
def about(step: Step) -> Iterator[None]:
    """Inside, what is warned of is about ``step``."""
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
    """The libraries' loggers have one handler, which prints nothing, and let warnings through."""
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
    """transformers and accelerate say some things once a process; an editor runs several flows in one."""
    from accelerate.logging import MultiProcessAdapter
    from transformers.utils import logging as hf

    said: tuple[Callable[..., Any], ...] = (hf.warning_once, MultiProcessAdapter.warning_once)
    for once in said:
        once.cache_clear()  # type: ignore[attr-defined]
