"""What keys do while a run goes on, and how the run history is shown."""

from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path

import flows
import pytest
from rich.console import Console

from ryven_llm_nodes.program.project import project_of, write_project
from ryven_llm_nodes.run import CancelToken
from ryven_llm_nodes.run.events import RunStarted, StageStarted, Warned
from ryven_llm_nodes.run.records.history import past_run, past_runs
from ryven_llm_nodes.terminal import Display, keys, metrics_line
from ryven_llm_nodes.terminal_runs import show_comparison, show_list, show_run, sparkline


class TestKeys:
    def test_once_asks_to_stop_and_twice_ends(self) -> None:
        token = CancelToken()
        with keys(token, Console(file=io.StringIO())):
            os.kill(os.getpid(), signal.SIGINT)
            assert token.event.is_set()
            assert not token.keep_event.is_set()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)

    def test_the_stage_is_kept(self) -> None:
        token, said = CancelToken(), io.StringIO()
        before = signal.getsignal(signal.SIGQUIT)
        with keys(token, Console(file=said)):
            os.kill(os.getpid(), signal.SIGQUIT)
            assert token.keep_event.is_set()
            assert not token.event.is_set()
        assert "the next one starts from its model" in said.getvalue()
        assert signal.getsignal(signal.SIGQUIT) is before


def test_a_shaped_reward_is_called_so() -> None:
    assert metrics_line({"reward": 0.5, "loss": 1.0}) == "loss 1.000  reward 0.500"
    shaped = metrics_line({"reward": -0.2, "raw_reward": 0.5, "loss": 1.0})
    assert shaped == "loss 1.000  reward 0.500  shaped reward -0.200"


def test_a_warning_is_shown_as_it_is() -> None:
    said = io.StringIO()
    with Display(Console(file=said, width=200)) as display:
        display(Warned("sft", "warmup_steps", "SFT 'sft' > warmup_steps: [bold] too long."))
    assert said.getvalue() == "warning: SFT 'sft' > warmup_steps: [bold] too long.\n"


def test_of_the_steps_the_stages_are_said_to_begin() -> None:
    said = io.StringIO()
    with Display(Console(file=said, width=200)) as display:
        for event in (RunStarted("", ("align",)), StageStarted("rows", "DPO rows"), StageStarted("align", "A 'align'")):
            display(event)
    assert said.getvalue() == "A 'align' ...\n"


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Two recorded runs of one flow, with another learning rate and other losses."""
    for number, (rate, status) in enumerate(((1e-4, "done"), (1e-3, "failed")), 1):
        folder = tmp_path / "flow" / "run-records" / f"2026-01-0{number}-120000"
        (folder / "metrics").mkdir(parents=True)
        stage = {"state": status, "done": 4, "total": 4 if status == "done" else 9, "seconds": 75.0, "folder": "sft"}
        summary = {"flow": "[flow]", "status": status, "began": f"2026-01-0{number}T12:00:00", "seconds": 75.0}
        summary |= {"warnings": [{"step": "sft", "parameter": "warmup_steps", "text": "[too] long"}]}
        summary |= {"stages": {"sft": stage}, "error": ["SFT 'sft': [bold]"] if status == "failed" else []}
        (folder / "run.json").write_text(json.dumps(summary))
        graph = flows.graph(flows.alone("sft", learning_rate=rate), folder)
        write_project(project_of(graph, folder), folder / "flow.json")
        losses = ({"step": step, "loss": number * (5 - step), "grad_norm": 1.0} for step in range(1, 5))
        (folder / "metrics/sft.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in losses))
    return tmp_path


def shown(show: object, *what: object) -> str:
    """What is printed, on a wide terminal."""
    text = io.StringIO()
    show(*what, Console(file=text, width=200))  # type: ignore[operator]
    return text.getvalue()


class TestRuns:
    def test_a_list(self, outputs: Path) -> None:
        _, second, first = (" ".join(line.split()) for line in shown(show_list, past_runs(outputs)).splitlines())
        assert second == "1 flow/2026-01-02-120000 [flow] failed 1 min 15 s sft failed (4 of 9)"
        assert first == "2 flow/2026-01-01-120000 [flow] done 1 min 15 s sft done"

    def test_one(self, outputs: Path) -> None:
        text = shown(show_run, past_runs(outputs)[0])
        assert "flow/2026-01-02-120000: flow '[flow]', 2026-01-02 12:00, 1 min 15 s, failed" in text
        assert "SFT 'sft': [bold]" in text
        assert "warning: [too] long" in text
        assert "loss 2.000" in text
        assert str(outputs / "flow/sft") in text

    def test_two(self, outputs: Path) -> None:
        second, first = past_runs(outputs)
        lines = [line.split() for line in shown(show_comparison, first, second).splitlines()]
        assert ["sft.learning_rate", "0.0001", "0.001"] in lines
        assert ["ended", "sft", "-", "failed", "(4", "of", "9)"] in lines
        assert ["sft", "loss", "▄▃▂▁", "1", "█▆▄▂", "2", "+1"] in lines

    def test_a_run_and_itself(self, outputs: Path) -> None:
        run = past_runs(outputs)[1]
        text = shown(show_comparison, run, run)
        assert "same flow, data and versions" in text
        assert "the same curves" in text

    def test_one_without_anything(self, tmp_path: Path) -> None:
        (tmp_path / "run.json").write_text("{}")
        assert "record: " in shown(show_run, past_run(tmp_path))


def test_curves_of_any_length_fit() -> None:
    assert sparkline([(1, 0.0), (2, 1.0)], 0, 1) == "▁█"
    assert sparkline([(1, 3.0)], 3, 3) == "▁"
    assert len(sparkline([(i, i) for i in range(1000)], 0, 999)) == 24
    assert sparkline([], 0, 1) == ""
