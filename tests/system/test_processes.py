"""Whether a process that left something behind is still there."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from ryven_llm_nodes.system import processes


def test_processes_are_told_apart() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        born = processes.birth(process.pid)
        assert born
        assert processes.birth(process.pid) == born
        assert processes.birth(os.getpid()) not in (born, None)
        process.kill()
        end = time.monotonic() + 10
        while processes.birth(process.pid) and time.monotonic() < end:
            time.sleep(0.01)
        assert processes.birth(process.pid) is None  # and nobody has asked how it ended
    assert processes.birth(process.pid) is None
