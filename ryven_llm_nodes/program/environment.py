"""What the libraries read from the environment when they are imported: one declaration for runs and scripts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

ENVIRONMENT: Final[Mapping[str, tuple[str, str]]] = {
    "HF_HUB_DISABLE_TELEMETRY": ("1", "no usage pings"),
    "OMP_WAIT_POLICY": ("passive", "idle threads leave the processor to others"),
}
"""A variable, its value unless the user has set one, and why.

Threads of OpenMP that wait for work spin by default. Beside another busy process each waits for one that does not get
a processor, and torch becomes tens of times slower; on a quiet machine a passive wait costs next to nothing.
"""


def prepare_environment() -> None:
    """Sets what is not set. Call before torch is imported."""
    for name, (value, _) in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@contextmanager
def prepared_environment() -> Iterator[None]:
    """Inside, what is not set is set; afterwards the environment is as it was."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    prepare_environment()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
