"""Every run leaves a record: what it was, on what, with what, and what came of it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.run import CancelToken, Event, Outcome, run_program
from ryven_llm_nodes.run.events import Log, Progress, StageReused, Warned
from ryven_llm_nodes.run.records import record as records
from ryven_llm_nodes.run.records.history import PastRun, past_runs

Run = Callable[..., tuple[Outcome, list[Event]]]
BAD_REWARD = "def reward(completions, **kwargs):\n    return [1 / 0 for _ in completions]\n"


def only(output_dir: Path) -> PastRun:
    """The one run into ``output_dir``."""
    (run,) = past_runs(output_dir)
    return run


class TestARunThatIsDone:
    @pytest.fixture(scope="class")
    def folder(self, workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        import torch

        torch.set_num_threads(1)
        folder = tmp_path_factory.mktemp("record")
        assert run_program(flows.program(flows.chain(), workspace), folder).error is None
        return folder

    def test_says_how_it_went(self, folder: Path) -> None:
        run = only(folder)
        assert (run.status, run.flow, run.error) == ("done", "chain", [])
        assert {name: run.state(name) for name in run.stages} == dict.fromkeys(flows.METHODS, "done")
        assert [stage["folder"] for stage in run.stages.values()] == list(flows.METHODS)
        assert run.seconds > 0
        assert {"Python", "torch", "transformers", "trl", "datasets"} <= set(run.versions)
        assert run.machine["threads"] == "1", "the tests of running take one"

    def test_says_what_it_read(self, folder: Path, workspace: Path) -> None:
        import hashlib

        about = only(folder).data["dpo_rows"]
        digest = hashlib.sha256((workspace / "pairs.jsonl").read_bytes()).hexdigest()
        assert about == {
            "files": {"pairs.jsonl": digest},
            "rows": 16,
            "columns": ["prompt", "chosen", "rejected"],
        }
        assert "model.safetensors" in only(folder).data["base"]["files"]

    def test_holds_the_flow_and_the_script(self, folder: Path, workspace: Path) -> None:
        run = only(folder)
        program = flows.program(flows.chain(), workspace)
        assert run.graph().digest == program.graph.digest
        assert run.graph().root == workspace.resolve()
        assert (run.folder / "script.py").read_text() == program.script_for(run.folder).text

    def test_holds_every_metric_of_every_stage(self, folder: Path) -> None:
        for stage in flows.METHODS:
            assert (only(folder).folder / f"metrics/{stage}.jsonl").read_bytes() == (
                folder / stage / "metrics.jsonl"
            ).read_bytes()
        assert [step for step, _ in only(folder).metrics("grpo")["reward"]] == [1, 2]

    def test_holds_every_sample(self, folder: Path) -> None:
        samples = list(only(folder).completions("ppo"))
        assert len(samples) == 4, "one rollout, used for both steps"
        assert {tuple(sample) for sample in samples} == {("step", "reward", "prompt", "completion", "score")}
        assert {sample["reward"] for sample in samples} == {"variety"}
        assert all(sample["prompt"] in flows.QUESTIONS for sample in samples)

    @pytest.mark.parametrize("model", [*flows.METHODS, "final-model"])
    def test_every_model_carries_the_flow_that_made_it(self, model: str, folder: Path, workspace: Path) -> None:
        """Opened from there, it still finds its data, and makes the same model again."""
        graph = read_flow(folder / model)
        whole = flows.program(flows.chain(), workspace).graph
        name = "final" if model == "final-model" else model
        assert graph.digest == whole.upstream([name]).digest
        assert graph.root == workspace.resolve()
        assert build(graph).steps[-1].name == name


class TestSaveModel:
    def folder_of(self, work: Path, tmp_path: Path, folder: Path, **options: Any) -> list[str]:
        """Runs SFT and saves its model to ``folder``; the steps that were not run again."""
        drawn = flows.alone("sft")
        drawn["flows"]["sft"]["nodes"][3]["additional data"]["params"]["folder"] = str(folder)
        events: list[Event] = []
        outcome = run_program(flows.program(drawn, work), tmp_path / "out", events.append, **options)
        assert outcome.error is None
        assert outcome.models["final"] == folder
        return [event.step for event in events if isinstance(event, StageReused)]

    def test_what_is_saved_already_is_not_saved_again(self, work: Path, tmp_path: Path) -> None:
        model = tmp_path / "model"
        assert self.folder_of(work, tmp_path, model) == []
        assert self.folder_of(work, tmp_path, model) == ["sft", "final"]
        assert self.folder_of(work, tmp_path, model, fresh=True) == []
        (model / "flow.json").unlink()
        assert self.folder_of(work, tmp_path, model) == ["sft"]
        assert read_flow(model).steps

    def test_what_is_not_as_it_was_saved_is_saved_again(self, work: Path, tmp_path: Path) -> None:
        model = tmp_path / "model"
        self.folder_of(work, tmp_path, model)
        before = (model / "model.safetensors").read_bytes()
        (model / "model.safetensors").unlink()
        assert self.folder_of(work, tmp_path, model) == ["sft"]
        assert (model / "model.safetensors").read_bytes() == before
        (model / "notes.md").write_text("good")
        assert self.folder_of(work, tmp_path, model) == ["sft", "final"]

    def test_what_an_earlier_version_has_saved_is_not_saved_again(self, work: Path, tmp_path: Path) -> None:
        model = tmp_path / "model"
        self.folder_of(work, tmp_path, model)
        flow = json.loads((model / "flow.json").read_text())
        del flow["files"]
        (model / "flow.json").write_text(json.dumps(flow))
        assert self.folder_of(work, tmp_path, model) == ["sft", "final"]

    def test_a_flow_of_ones_own_beside_it_is_not_touched(self, work: Path, tmp_path: Path) -> None:
        mine = flows.save(flows.chain(), work / "flow.json").read_bytes()
        for _ in range(2):
            assert "final" not in self.folder_of(work, tmp_path, work)
        assert (work / "flow.json").read_bytes() == mine


def test_what_is_used_again_keeps_its_curves(run: Run, tmp_path: Path) -> None:
    run(flows.alone("sft"))
    run(flows.alone("sft"))
    again, first = past_runs(tmp_path / "out")
    assert (first.state("sft"), again.state("sft")) == ("done", "reused")
    assert again.metrics("sft") == first.metrics("sft") != {}


def test_a_run_that_goes_on_has_the_curves_from_the_beginning(workspace: Path, tmp_path: Path) -> None:
    saved = {"save_strategy": "steps", "save_steps": 1, "max_steps": 4}
    program, token = flows.program(flows.alone("sft", **saved), workspace), CancelToken()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 2:
            token.cancel()

    run_program(program, tmp_path, stop, token)
    run_program(program, tmp_path)
    again, first = past_runs(tmp_path)
    assert (first.status, first.state("sft")) == ("cancelled", "cancelled (2 of 4)")
    assert [step for step, _ in again.metrics("sft")["loss"]] == [1, 2, 3, 4]


def test_a_failure_is_recorded_with_its_traceback(run: Run, tmp_path: Path) -> None:
    drawn = flows.alone("grpo")
    drawn["flows"]["grpo"]["nodes"][3]["additional data"]["params"]["code"] = (
        "calls = []\ndef variety(completions, **kwargs):\n    calls.append(1)\n"
        "    return [1 / (2 - len(calls)) for _ in completions]\n"
    )
    outcome, _ = run(drawn)
    past = only(tmp_path / "out")
    assert past.status == "failed"
    assert past.error == str(outcome.error).split("\n")
    log = (past.folder / "log.txt").read_text()
    assert str(outcome.error) in log
    assert "ZeroDivisionError" in log


def test_problems_found_before_training_are_recorded_all(run: Run, tmp_path: Path) -> None:
    drawn = flows.alone("ppo")
    drawn["flows"]["ppo"]["nodes"][3]["additional data"]["params"]["code"] = BAD_REWARD
    outcome, _ = run(drawn)
    assert outcome.error is not None
    assert only(tmp_path / "out").error == str(outcome.error).split("\n")
    assert only(tmp_path / "out").state("ppo") == "not begun"


def test_runs_within_a_second_have_records_of_their_own(run: Run, tmp_path: Path) -> None:
    for _ in range(3):
        run(flows.alone("sft"))
    assert len(past_runs(tmp_path / "out")) == 3


def test_a_record_that_cannot_be_gone_on_with_is_not_worth_a_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.Record, "_append", refuse)
    outcome, events = run(flows.alone("sft"))
    assert outcome.status == "done"
    said = [event.text for event in events if isinstance(event, Log) and "record" in event.text]
    assert said == ["the record of this run is incomplete: [Errno 28] No space left on device"]


def test_samples_without_end_do_not_fill_the_disk(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LARGEST_FILE", 1)
    run(flows.alone("grpo"))
    assert len(list(only(tmp_path / "out").completions("grpo"))) == 4, "of the first step, and no more"


def test_a_run_that_was_killed_is_told_from_one_that_runs(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(flows.alone("sft"), workspace)
    seen: list[str] = []

    def look(event: Event) -> None:
        if isinstance(event, Progress):
            seen.append(only(tmp_path).status)

    child = os.fork()
    if child == 0:
        run_program(program, tmp_path, lambda e: os.kill(os.getpid(), signal.SIGKILL) if _is_step(e) else None)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    killed = only(tmp_path)
    assert (killed.status, killed.state("sft")) == ("killed", "killed (0 of 2)")
    killed.delete()
    run_program(program, tmp_path, look)
    assert set(seen) == {"running"}


def _is_step(event: Event) -> bool:
    return isinstance(event, Progress) and event.done == 1


def test_no_token_is_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    run(flows.alone("sft"))
    for file in (tmp_path / "out").rglob("*"):
        assert not file.is_file() or b"hf_secret" not in file.read_bytes(), file


class TestSamplesOfEarlierRuns:
    """A record has all that its model was trained with, whichever run that was in."""

    SAVED: dict[str, Any] = {"max_steps": 4, "save_strategy": "steps", "save_steps": 1}

    def stop_at(self, step: int, program: Any, folder: Path) -> None:
        token = CancelToken()

        def stop(event: Event) -> None:
            if isinstance(event, Progress) and event.done == step:
                token.cancel()

        run_program(program, folder, stop, token)

    def test_are_there_where_it_goes_on(self, workspace: Path, tmp_path: Path) -> None:
        program = flows.program(flows.alone("grpo", **self.SAVED), workspace)
        run_program(program, tmp_path / "whole")
        for step in (1, 3):
            self.stop_at(step, program, tmp_path / "often")
        run_program(program, tmp_path / "often")
        whole, often = (list(past_runs(tmp_path / name)[0].completions("grpo")) for name in ("whole", "often"))
        assert often == whole
        assert [sample["step"] for sample in whole] == [step for step in range(4) for _ in range(4)]

    def test_are_there_where_it_is_reused(self, workspace: Path, tmp_path: Path) -> None:
        program = flows.program(flows.alone("grpo"), workspace)
        for _ in range(3):
            run_program(program, tmp_path)
        first, *others = (list(run.completions("grpo")) for run in past_runs(tmp_path))
        assert first
        assert others == [first, first]

    def test_are_not_those_of_another_training(self, workspace: Path, tmp_path: Path) -> None:
        run_program(flows.program(flows.alone("grpo"), workspace), tmp_path)
        trained = flows.program(flows.alone("grpo", learning_rate=1e-4), workspace)
        run_program(trained, tmp_path)
        past_runs(tmp_path)[0].delete()
        run_program(trained, tmp_path)
        again = past_runs(tmp_path)[0]
        assert again.state("grpo") == "reused"
        assert list(again.completions("grpo")) == [], "the record that had them was deleted"


def test_warnings_are_noted(data: Path, tmp_path: Path) -> None:
    program = flows.program(flows.alone("sft"), data)
    with records.Record(program, tmp_path, lambda event: None) as record:
        record.take(Warned("sft", "warmup_steps", "SFT 'sft' > warmup_steps: too long."))
    assert only(tmp_path).warnings == ["SFT 'sft' > warmup_steps: too long."]
    assert "warning: SFT 'sft' > warmup_steps: too long." in (record.folder / "log.txt").read_text()
    assert only(tmp_path).summary["warnings"][0]["parameter"] == "warmup_steps"
