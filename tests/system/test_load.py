"""How busy this machine is."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from ryven_llm_nodes.system.load import load_now


def test_processor_and_memory() -> None:
    load_now()
    found = load_now()
    assert 0 <= found.processor <= 1
    assert 0 < found.used < found.total


def test_the_gpu_that_torch_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(is_initialized=lambda: True, mem_get_info=lambda: (3, 10))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert load_now().gpu == (7, 10)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    assert load_now().gpu is None
