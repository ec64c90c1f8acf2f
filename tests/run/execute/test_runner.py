"""A run: its order, its events, what it writes, how it stops and fails."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import GRPO, PPO, ExportScript, LoadDataset, RewardFunction
from ryven_llm_nodes.errors import FlowError, StageError
from ryven_llm_nodes.host.session import open_project
from ryven_llm_nodes.run import CancelToken, Event, run_program
from ryven_llm_nodes.run.events import (
    Completions,
    Metrics,
    Progress,
    RunFinished,
    RunStarted,
    StageFailed,
    StageFinished,
    StageStarted,
)

Run = Callable[..., tuple[Any, list[Event]]]


def weights(folder: Path) -> str:
    """The sha256 of the weights in a model folder."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def of(kind: type[Event], events: list[Event], step: str = "") -> list[Any]:
    return [event for event in events if type(event) is kind and step in ("", event.step)]


class TestEvents:
    def test_tell_the_story_of_a_run_in_order(self, run: Run, tmp_path: Path) -> None:
        outcome, events = run(flows.alone("sft"))

        assert outcome.status == "done"
        assert type(events[0]) is RunStarted
        assert events[0].stages == ("sft",)
        assert [event.step for event in of(StageStarted, events)] == ["base", "rows", "sft", "final"]
        assert [(event.done, event.total) for event in of(Progress, events, "sft")] == [(0, 2), (1, 2), (2, 2)]
        losses = [event.values["loss"] for event in of(Metrics, events, "sft") if "loss" in event.values]
        assert len(losses) == 2
        assert losses[1] < losses[0]
        assert of(StageFinished, events, "sft")[0].folder == str(tmp_path / "out" / "sft")
        assert type(events[-1]) is RunFinished
        assert events[-1].models == {
            "sft": str(tmp_path / "out" / "sft"),
            "final": str(tmp_path / "out" / "final-model"),
        }

    def test_cross_a_process_boundary_as_json(self, run: Run) -> None:
        _, events = run(flows.alone("grpo"))
        told = [json.loads(event.to_json()) for event in events]
        assert [line["event"] for line in told] == [type(event).__name__ for event in events]

    def test_tell_every_sample_and_its_scores(self, run: Run) -> None:
        _, events = run(flows.alone("grpo"))
        samples = of(Completions, events, "grpo")
        assert [event.done for event in samples] == [0, 1]
        for event in samples:
            assert event.reward == "variety"
            assert len(event.prompts) == len(event.completions) == len(event.scores) == 4
            assert event.prompts[0].startswith("user: what is")
            text = event.completions[0].removeprefix("assistant: ")
            assert event.scores[0] == pytest.approx(len(set(text)) / max(len(text), 1))

    def test_come_from_a_worker_thread_too(self, workspace: Path, tmp_path: Path) -> None:
        program = flows.program(flows.alone("sft"), workspace)
        threads: set[str] = set()
        worker = threading.Thread(
            target=run_program,
            args=(program, tmp_path, lambda event: threads.add(threading.current_thread().name)),
            name="worker",
        )
        worker.start()
        worker.join()
        assert threads == {"worker"}


class TestFiles:
    def test_metrics_are_kept_a_line_a_log(self, run: Run, tmp_path: Path) -> None:
        run(flows.alone("ppo"))
        lines = [json.loads(line) for line in (tmp_path / "out/ppo/metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [1, 2, 2]
        assert {"loss", "reward", "ppo/kl", "ppo/entropy", "ppo/value_loss", "learning_rate"} <= set(lines[0])

    def test_raw_and_shaped_rewards_are_both_logged(self, run: Run, tmp_path: Path) -> None:
        run(flows.alone("grpo", reward_threshold=2.0))
        line = json.loads((tmp_path / "out/grpo/metrics.jsonl").read_text().splitlines()[0])
        assert line["raw_reward"] == pytest.approx(line["raw_reward/variety"])
        assert line["reward"] == pytest.approx(line["raw_reward"] - 2.0)

    def test_a_second_run_starts_its_metrics_again(self, run: Run, tmp_path: Path) -> None:
        for _ in range(2):
            run(flows.alone("sft"))
        assert len((tmp_path / "out/sft/metrics.jsonl").read_text().splitlines()) == 3

    def test_export_script_writes_the_script_of_the_whole_flow(self, run: Run, tmp_path: Path, workspace: Path) -> None:
        drawn = flows.draw(
            "base -> sft, rows -> sft, sft -> script",
            base=flows.BASE,
            rows=flows.ROWS["sft"],
            sft=flows.TRAINERS["sft"],
            script=node(ExportScript, path="code/mine.py"),
        )
        run(drawn)
        written = (tmp_path / "out/code/mine.py").read_text()
        assert written == flows.program(drawn, workspace).script_for(tmp_path / "out/code").text

    def test_the_saved_model_is_one_that_transformers_loads(self, run: Run, tmp_path: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        run(flows.alone("ppo", lora=True))
        for name in ("ppo", "final-model"):
            _, report = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / name, output_loading_info=True)
            assert not report["missing_keys"]
            assert not report["unexpected_keys"]
            assert AutoTokenizer.from_pretrained(tmp_path / "out" / name).chat_template


class TestStopping:
    def test_ends_within_one_step_and_saves_nothing_half_trained(self, workspace: Path, tmp_path: Path) -> None:
        token = CancelToken()
        events: list[Event] = []

        def stop_at_first_step(event: Event) -> None:
            events.append(event)
            if isinstance(event, Progress) and event.done == 1:
                token.cancel()

        program = flows.program(flows.alone("sft", max_steps=50), workspace)
        outcome = run_program(program, tmp_path / "out", stop_at_first_step, token)
        assert outcome.status == "cancelled"
        assert outcome.error is None
        assert max(event.done for event in of(Progress, events)) == 1
        assert not (tmp_path / "out/sft/model.safetensors").exists()

    def test_ends_inside_generation(self, workspace: Path, tmp_path: Path) -> None:
        token = CancelToken()
        code = flows.REWARD.replace("return [", "import builtins; builtins.stop_run(); return [")
        drawn = flows.alone("grpo", max_steps=50, max_completion_length=64)
        drawn["flows"]["grpo"]["nodes"][3]["additional data"]["params"]["code"] = code
        import builtins

        calls: list[int] = []

        def stop_run() -> None:
            calls.append(1)
            if len(calls) == 3:  # the first call is the trial before training
                token.cancel()

        builtins.stop_run = stop_run  # type: ignore[attr-defined]
        try:
            outcome = run_program(flows.program(drawn, workspace), tmp_path, cancel=token)
        finally:
            del builtins.stop_run  # type: ignore[attr-defined]
        assert outcome.status == "cancelled"
        assert len(calls) == 3

    def test_before_the_first_stage(self, workspace: Path, tmp_path: Path) -> None:
        token = CancelToken()
        token.cancel()
        outcome = run_program(flows.program(flows.alone("sft"), workspace), tmp_path / "out", cancel=token)
        assert outcome.status == "cancelled"
        assert not (tmp_path / "out/sft").exists()


FAILS_LATE = """state = []

def late(completions, **kwargs):
    state.append(1)
    if len(state) > 1:
        raise KeyError("no such thing")
    return [float(len(str(c))) for c in completions]
"""


class TestFailing:
    def test_a_reward_that_raises_in_training_is_named_with_its_line(self, run: Run) -> None:
        drawn = flows.draw(
            "base -> grpo, rows -> grpo, late -> grpo",
            base=flows.BASE,
            rows=flows.ROWS["grpo"],
            late=node(RewardFunction, code=FAILS_LATE),
            grpo=node(GRPO, **flows.ROLLOUT, num_generations=4),
        )
        outcome, events = run(drawn)
        assert outcome.status == "failed"
        assert isinstance(outcome.error, StageError)
        assert str(outcome.error) == (
            "Reward Function 'late' > code: line 6: KeyError: 'no such thing'. (while GRPO 'grpo' was running)"
        )
        failed = of(StageFailed, events)[0]
        assert failed.step == "late"
        assert 'raise KeyError("no such thing")' in failed.details

    def test_what_trl_refuses_is_one_line_at_the_trainer(self, run: Run) -> None:
        outcome, events = run(flows.alone("sft", lr_scheduler_kwargs={"no_such_argument": 1}))
        assert isinstance(outcome.error, FlowError)
        assert str(outcome.error).startswith("SFT 'sft' > lr_scheduler_kwargs: SFTConfig rejects it: ")
        assert "no_such_argument" in str(outcome.error)
        assert "\n" not in str(outcome.error)
        assert not of(StageStarted, events, "sft")

    def test_the_module_of_a_run_is_gone_afterwards(self, run: Run) -> None:
        import sys

        run(flows.alone("sft"))
        assert not [name for name in sys.modules if name.startswith("ryven_llm_flow_")]


class TestLiveFlow:
    def test_a_nodes_run_method_is_the_same_run(self, run: Run, work: Path, tmp_path: Path) -> None:
        path = flows.save(flows.alone("sft"), work / "flow.json")
        session = open_project(path)
        sft = next(node for node in session.flows[0].nodes if node.name == "sft")
        outcome = sft.run(root=work, output_dir=tmp_path / "live")
        assert outcome.error is None
        assert list(outcome.models) == ["sft"]
        run(flows.alone("sft"))
        assert weights(tmp_path / "live/sft") == weights(tmp_path / "out/sft")


class TestSeveralRewards:
    def test_are_weighted_by_trl(self, run: Run, tmp_path: Path) -> None:
        drawn = combined(PPO, "ppo")
        run(drawn)
        line = json.loads((tmp_path / "out/ppo/metrics.jsonl").read_text().splitlines()[0])
        expected = line["rewards/ones/mean"] + 0.5 * line["rewards/twos/mean"]
        assert (line["rewards/ones/mean"], line["rewards/twos/mean"]) == (1.0, 2.0)
        assert line["reward"] == pytest.approx(expected)

    def test_are_summed_before_the_threshold(self, run: Run, tmp_path: Path) -> None:
        drawn = combined(GRPO, "grpo", num_generations=4, reward_threshold=5.0)
        run(drawn)
        line = json.loads((tmp_path / "out/grpo/metrics.jsonl").read_text().splitlines()[0])
        assert line["raw_reward"] == pytest.approx(2.0)
        assert line["reward"] == pytest.approx(2.0 - 5.0)


def combined(kind: Any, name: str, **params: Any) -> flows.Project:
    from ryven_llm_nodes.catalogue import CombineRewards

    constant = "def {0}(completions, **kwargs):\n    return [{1}] * len(completions)\n"
    return flows.draw(
        f"base -> {name}, rows -> {name}, ones -> both, twos -> both, both -> {name}",
        base=flows.BASE,
        rows=node(LoadDataset, path="chats.jsonl"),
        ones=node(RewardFunction, code=constant.format("ones", "1.0")),
        twos=node(RewardFunction, code=constant.format("twos", "2.0")),
        both=node(CombineRewards, weight_2=0.5),
        **{name: node(kind, **flows.ROLLOUT, **params)},
    )
