"""What the tests of running share: one thread, and a way to run a drawn flow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.run import Event, Outcome, run_program


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """The number of threads decides how sums are split, so it has to be the same in every process."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def run(workspace: Path, tmp_path: Path) -> Callable[..., tuple[Outcome, list[Event]]]:
    """Runs a drawn flow into ``tmp_path / 'out'`` and gives the outcome and all events."""

    def run_drawn(drawn: flows.Project, **options: Any) -> tuple[Outcome, list[Event]]:
        events: list[Event] = []
        outcome = run_program(flows.program(drawn, workspace), tmp_path / "out", events.append, **options)
        return outcome, events

    return run_drawn
