"""Where metrics are reported to: with stand-ins for the services, which are not installed for the tests."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import flows
import pytest
from typer.testing import CliRunner

from ryven_llm_nodes.cli import app
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.events import Tracked
from ryven_llm_nodes.run.execute.tracking import tracked
from ryven_llm_nodes.run.records.history import past_runs


def args(*services: str, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(report_to=list(services), project="poems", **more)


def test_addresses_and_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "runs" / "today").mkdir(parents=True)
    wandb, mlflow = ModuleType("wandb"), ModuleType("mlflow")
    wandb.run = SimpleNamespace(url="https://wandb.example/1")
    mlflow.active_run = lambda: SimpleNamespace(info=SimpleNamespace(run_id="7"))
    mlflow.get_tracking_uri = lambda: "file:/x"
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    services = ("tensorboard", "wandb", "mlflow", "trackio", "swanlab")
    assert dict(tracked(args(*services, output_dir=str(tmp_path)))) == {
        "tensorboard": str(tmp_path / "runs" / "today"),
        "wandb": "https://wandb.example/1",
        "mlflow": "file:/x (run 7)",
        "trackio": 'trackio show --project "poems"',
        "swanlab": "",
    }
    assert dict(tracked(args("trackio", trackio_space_id="a/b")))["trackio"] == "https://huggingface.co/spaces/a/b"
    assert list(tracked(args("none"))) == []


def test_the_record_links_to_it(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard's writer is replaced by one that only makes its folder."""
    from transformers.integrations import integration_utils as hub

    class Board(hub.TensorBoardCallback):
        def __init__(self) -> None:
            self.tb_writer = self._SummaryWriter = None
            self.logging_dir = None

        def on_train_begin(self, args: Any, *_: Any, **__: Any) -> None:
            Path(args.output_dir, "runs", "now").mkdir(parents=True)

    monkeypatch.setitem(hub.INTEGRATION_TO_CALLBACK, "tensorboard", Board)
    monkeypatch.setattr("ryven_llm_nodes.run.examine.here.is_installed", lambda module: True)
    events: list[Any] = []
    program = flows.program(flows.alone("sft", report_to="tensorboard"), workspace)
    assert run_program(program, tmp_path / "out", events.append).error is None
    (told,) = [event for event in events if isinstance(event, Tracked)]
    assert (told.step, told.service) == ("sft", "tensorboard")
    assert Path(told.place).is_dir(), "also after the run"
    (run,) = past_runs(tmp_path / "out")
    assert run.tracking("sft") == {"tensorboard": told.place}
    said = CliRunner().invoke(app, ["runs", "1", "--in", str(tmp_path / "out")])
    assert f"sft: tensorboard {told.place}" in said.output
