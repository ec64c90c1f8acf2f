"""What the libraries read from the environment when they are imported, the same for runs and scripts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

NAMES: Final = ("HF_HUB_DISABLE_TELEMETRY", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
LINES: Final = """\
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # no usage pings
if "OMP_WAIT_POLICY" not in os.environ:  # idle threads soon release the processor
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=os.environ.get("GOMP_SPINCOUNT", "2500"))"""
"""The statements that a script runs before it imports a library.

OpenMP threads that wait for work spin by default. Next to another busy process each waits for one that does not get
a processor, and torch becomes many times slower. Waiting without any spinning costs a fifth of the speed of
generation on an idle machine (two threads, SmolLM2-135M); spinning for some microseconds costs almost nothing:
tests/benchmarks/bench_busy.py.
"""
LOAD: Final = Path("/proc/loadavg")
LOOKS: Final = 5
SECONDS_BETWEEN: Final = 0.01


def prepare_environment() -> None:
    """Sets what the user has not set. Call before torch is imported.

    Like a script, except that on a machine that is already busy, waiting threads release the processor at once: how
    threads wait changes no result, only the time it takes.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if "OMP_WAIT_POLICY" not in os.environ:
        spin = os.environ.get("GOMP_SPINCOUNT") or ("0" if is_busy() else "2500")
        os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=spin)


def is_busy() -> bool:
    """Whether threads other than this one want a processor, at every sample; False where that is unknown."""
    with suppress(OSError, ValueError, IndexError):
        return all(_others_running(SECONDS_BETWEEN if look else 0) for look in range(LOOKS))
    return False


def _others_running(after: float) -> bool:
    """Whether another thread runs, ``after`` seconds from now: a quiet machine is told at once, without a wait."""
    time.sleep(after)
    running, _, _ = LOAD.read_text().split()[3].partition("/")
    return int(running) > 1  # one is this thread


@contextmanager
def prepared_environment() -> Iterator[None]:
    """Inside, the unset variables are set; afterwards the environment is restored."""
    before = {name: os.environ.get(name) for name in NAMES}
    prepare_environment()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
