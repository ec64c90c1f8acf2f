"""What all tests share: a tiny model and its data, made on the spot, so that nothing is ever downloaded."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a tiny model is fastest so, and weights depend on it
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).parent))  # so that tests can say `from flows import ...`

import flows
import pytest

from ryven_llm_nodes.run import Event, Outcome, run_program


@pytest.fixture(scope="session", autouse=True)
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is remembered of a user goes to a folder of the tests."""
    folder = tmp_path_factory.mktemp("state")
    os.environ["RYVEN_LLM_STATE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to read from only: a tiny model in ``model``, and the data files of :mod:`flows`."""
    folder = tmp_path_factory.mktemp("workspace")
    flows.write_data(folder)
    flows.write_model(folder / "model")
    return folder


@pytest.fixture
def work(workspace: Path, tmp_path: Path) -> Path:
    """A copy of the workspace to write into."""
    return Path(shutil.copytree(workspace, tmp_path / "work"))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data files and a folder that passes for a model, without torch: for tests that only check and export."""
    folder = tmp_path_factory.mktemp("data")
    flows.write_data(folder)
    flows.write_hollow_model(folder / "model")
    return folder


@pytest.fixture
def run(workspace: Path, tmp_path: Path) -> Callable[..., tuple[Outcome, list[Event]]]:
    """Runs a drawn flow into ``tmp_path / 'out'`` and gives the outcome and all events."""

    def run_drawn(drawn: flows.Project, **options: Any) -> tuple[Outcome, list[Event]]:
        events: list[Event] = []
        outcome = run_program(flows.program(drawn, workspace), tmp_path / "out", events.append, **options)
        return outcome, events

    return run_drawn


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where all tests have to run (``.ci/run`` sets this), a skipped one is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("RYVEN_LLM_ALL_TESTS") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
