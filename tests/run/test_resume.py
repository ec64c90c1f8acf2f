"""A run that was stopped goes on, and ends with the bits of one that was never interrupted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.run import CancelToken, Event, Outcome, run_program
from ryven_llm_nodes.run.events import Log, Progress, StageReused

STEPS = 6
SAVED: dict[str, Any] = {"max_steps": STEPS, "save_strategy": "steps", "save_steps": 1}
CASES = [(method, lora) for method in flows.METHODS for lora in (False, True)]


def drawn(method: str, lora: bool = False, **params: Any) -> flows.Project:
    """One trainer that saves every step; PPO and GRPO use each rollout twice."""
    rollout = {"num_iterations": 2} if method in ("ppo", "grpo") else {}
    return flows.alone(method, lora, **{**SAVED, **rollout, **params})


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def stopped_at(step: int, program: Any, output_dir: Path) -> Outcome:
    """Runs until optimizer step ``step`` is done."""
    token = CancelToken()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.done == step:
            token.cancel()

    return run_program(program, output_dir, stop, token)


@pytest.mark.parametrize(("method", "lora"), CASES, ids=[f"{m}-{'lora' if lora else 'full'}" for m, lora in CASES])
def test_stopped_and_run_again_ends_with_the_same_bits(
    method: str, lora: bool, workspace: Path, tmp_path: Path
) -> None:
    program = flows.program(drawn(method, lora), workspace)
    assert run_program(program, tmp_path / "whole").status == "done"

    assert stopped_at(3, program, tmp_path / "twice").status == "cancelled"
    events: list[Event] = []
    assert run_program(program, tmp_path / "twice", events.append).status == "done"

    first = next(event.done for event in events if isinstance(event, Progress))
    assert first == (4 if method in ("ppo", "grpo") else 3), "where it stopped: at the end of a rollout"
    assert weights(tmp_path / "twice" / method) == weights(tmp_path / "whole" / method)
    lines = (tmp_path / "twice" / method / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6, 6]


@pytest.mark.parametrize("method", flows.METHODS)
def test_stopped_in_a_later_epoch(method: str, workspace: Path, tmp_path: Path) -> None:
    """The order of the rows goes on too: four rows, four steps an epoch, stopped in the second."""
    rows = 4 if method in ("ppo", "grpo") else 16
    project = drawn(method, max_steps=12, **({"num_generations": 4} if method == "grpo" else {}))
    placed = project["flows"][method]["nodes"][1]["additional data"]
    placed["params"]["limit"] = rows
    program = flows.program(project, workspace)
    run_program(program, tmp_path / "whole")
    assert stopped_at(10, program, tmp_path / "twice").status == "cancelled"
    assert run_program(program, tmp_path / "twice").status == "done"
    assert weights(tmp_path / "twice" / method) == weights(tmp_path / "whole" / method)


def test_a_torn_checkpoint_is_not_used(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(drawn("sft"), workspace)
    run_program(program, tmp_path / "whole")
    stopped_at(4, program, tmp_path / "torn")
    torn = tmp_path / "torn/sft/checkpoints/unfinished/checkpoint-5"
    torn.mkdir(parents=True)
    (torn / "model.safetensors").write_bytes(b"half")
    assert run_program(program, tmp_path / "torn").status == "done"
    assert weights(tmp_path / "torn/sft") == weights(tmp_path / "whole/sft")


FILES = (
    "model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "trainer_state.json",
    "training_args.bin",
)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_checkpoint_of_which_an_end_is_missing_is_not_used(
    keep: float, file: str, stopped: Path, workspace: Path, tmp_path: Path
) -> None:
    """A disk that failed, or a copy that was broken off, leaves a file short: the checkpoint before it is used."""
    shutil.copytree(stopped / "torn", tmp_path / "torn", symlinks=True)
    checkpoints = tmp_path / "torn/sft/checkpoints"
    assert sorted(path.name for path in checkpoints.glob("checkpoint-*")) == [f"checkpoint-{n}" for n in (1, 2, 3, 4)]
    torn = checkpoints / "checkpoint-4" / file
    os.truncate(torn, int(torn.stat().st_size * keep))
    events: list[Event] = []
    assert run_program(flows.program(drawn("sft"), workspace), tmp_path / "torn", events.append).status == "done"
    assert next(event.done for event in events if isinstance(event, Progress)) == 3
    assert weights(tmp_path / "torn/sft") == weights(stopped / "whole/sft")


@pytest.fixture(scope="module")
def stopped(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of SFT that was stopped at its fourth step, and one that was not."""
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("stopped")
    program = flows.program(drawn("sft"), workspace)
    run_program(program, folder / "whole")
    stopped_at(4, program, folder / "torn")
    return folder


def test_only_as_many_checkpoints_are_kept_as_asked_for(workspace: Path, tmp_path: Path) -> None:
    run_program(flows.program(drawn("sft", save_total_limit=2), workspace), tmp_path)
    kept = sorted(path.name for path in (tmp_path / "sft/checkpoints").glob("checkpoint-*"))
    assert kept == ["checkpoint-5", "checkpoint-6"]


def test_the_best_model_is_found_again(workspace: Path, tmp_path: Path) -> None:
    """load_best_model_at_end works with checkpoints that were moved."""
    best = {"eval_strategy": "steps", "eval_steps": 1, "load_best_model_at_end": True, "learning_rate": 1e-2}
    project = drawn("sft", **best)
    flow = project["flows"]["sft"]
    ports = [port.name for port in flows.TRAINERS["sft"][0].in_ports]
    wire = {"parent node index": 1, "output port index": 0, "connected node": 2}
    flow["connections"].append({**wire, "connected input port index": ports.index("eval_dataset")})
    outcome = run_program(flows.program(project, workspace), tmp_path)
    assert outcome.error is None
    state = json.loads((tmp_path / "sft/checkpoints/checkpoint-6/trainer_state.json").read_text())
    best_step = state["best_global_step"]
    assert weights(tmp_path / "sft") == weights(tmp_path / f"sft/checkpoints/checkpoint-{best_step}")


class TestReuse:
    def test_a_finished_stage_is_not_run_again(self, workspace: Path, tmp_path: Path) -> None:
        program = flows.program(flows.chain(), workspace)
        assert run_program(program, tmp_path).status == "done"
        before = weights(tmp_path / "final-model")
        events: list[Event] = []
        run_program(program, tmp_path, events.append)
        reused = [event for event in events if isinstance(event, StageReused)]
        assert [event.step for event in reused] == ["sft", "ppo", "dpo", "grpo", "final"]
        assert reused[0].reason.startswith("nothing it depends on has changed since 20")
        assert weights(tmp_path / "final-model") == before

    def test_only_what_depends_on_a_change_is_run_again(self, workspace: Path, tmp_path: Path) -> None:
        run_program(flows.program(flows.chain(), workspace), tmp_path)
        changed = flows.chain()
        params = changed["flows"]["chain"]["nodes"][6]["additional data"]
        assert params["name"] == "dpo"
        params["params"]["beta"] = 0.5
        assert ran(changed, workspace, tmp_path) == (
            ["dpo", "grpo"],
            [
                "dpo: beta was the default, is 0.5",
                "grpo: the model has changed",
            ],
        )

    def test_one_byte_of_a_data_file_reruns_what_reads_it(self, work: Path, tmp_path: Path) -> None:
        run_program(flows.program(flows.chain(), work), tmp_path / "out")
        data = (work / "pairs.jsonl").read_text()
        (work / "pairs.jsonl").write_text(data.replace("no no", "no mo", 1))
        stages, reasons = ran(flows.chain(), work, tmp_path / "out")
        assert stages == ["dpo", "grpo"]
        assert reasons == ["dpo: the dataset has changed", "grpo: the model has changed"]

    def test_another_chat_template_reruns_what_takes_it(self, work: Path, tmp_path: Path) -> None:
        template = work / "chat.jinja"
        template.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
        drawn = flows.alone("sft", chat_template_path="chat.jinja")
        run_program(flows.program(drawn, work), tmp_path / "out")
        assert (tmp_path / "out/sft/chat_template.jinja").read_text() == template.read_text(), "found beside the flow"
        assert ran(drawn, work, tmp_path / "out") == ([], [])
        template.write_text("{% for m in messages %}{{ m.content }} {% endfor %}")
        assert ran(drawn, work, tmp_path / "out") == (["sft"], ["sft: chat.jinja has changed"])

    def test_renaming_nodes_reruns_nothing_upstream_of_the_rename(self, workspace: Path, tmp_path: Path) -> None:
        run_program(flows.program(flows.chain(), workspace), tmp_path)
        renamed = flows.chain()
        for placed in renamed["flows"]["chain"]["nodes"]:
            data = placed["additional data"]
            data["name"] = {"base": "start", "sft_rows": "rows"}.get(data["name"], data["name"])
        assert ran(renamed, workspace, tmp_path) == ([], [])

    def test_fresh_runs_everything(self, workspace: Path, tmp_path: Path) -> None:
        program = flows.program(flows.alone("sft"), workspace)
        run_program(program, tmp_path)
        events: list[Event] = []
        run_program(program, tmp_path, events.append, fresh=True)
        assert not [event for event in events if isinstance(event, StageReused)]


def ran(project: flows.Project, root: Path, output_dir: Path) -> tuple[list[str], list[str]]:
    """The stages that a second run trains, and what it says about them."""
    events: list[Event] = []
    assert run_program(flows.program(project, root), output_dir, events.append).error is None
    stages = dict.fromkeys(event.step for event in events if isinstance(event, Progress))
    return list(stages), [text for text in logged(events) if ": " in text]


def logged(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Log)]


def test_the_exported_script_can_do_the_same(workspace: Path, tmp_path: Path) -> None:
    """`python script.py --resume` after a run in process was stopped: same folder, same bits."""
    import runpy
    import sys

    program = flows.program(drawn("grpo"), workspace)
    run_program(program, tmp_path / "whole")
    stopped_at(3, program, tmp_path / "twice")
    script = tmp_path / "script.py"
    script.write_text(program.script_for(tmp_path).text)
    before = sys.argv
    sys.argv = [str(script), "--output-dir", str(tmp_path / "twice"), "--resume"]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = before
    assert weights(tmp_path / "twice/grpo") == weights(tmp_path / "whole/grpo")
