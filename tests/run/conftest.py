"""What the tests of running share: one thread, and a way to run a drawn flow."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """The number of threads decides how sums are split, so it has to be the same in every process."""
    import torch

    torch.set_num_threads(1)
