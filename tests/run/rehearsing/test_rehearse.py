"""A rehearsal runs every stage of a flow on the small model, in a folder of its own, and tells of the real run."""

from __future__ import annotations

import json
from pathlib import Path

import flows
from flows import node

from ryven_llm_nodes.catalogue import GRPO, SFT, Evaluate, ExportScript, LoadModel, RewardFunction, SaveModel
from ryven_llm_nodes.run import Event, rehearse_program
from ryven_llm_nodes.run.events import Log, Progress
from ryven_llm_nodes.run.rehearsing.plans import plans_of


def write_wide_model(folder: Path, tokenizer_of: Path) -> None:
    """A model of twice the width, with the tokenizer of another."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(tokenizer_of)
    config.hidden_size, config.head_dim = 64, 16
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer_of).save_pretrained(folder)


def drawn(saved: Path, **of_base: str) -> flows.Project:
    sampled = {**flows.ROLLOUT, "num_generations": 4, "max_steps": 40, "num_iterations": 3}
    nodes = {
        "base": node(LoadModel, **{"path": "wide", **of_base}),
        "rows": flows.ROWS["sft"],
        "sft": node(SFT, **{**flows.FAST, "max_steps": 30, "report_to": "tensorboard"}),
        "prompts": flows.ROWS["ppo"],
        "variety": node(RewardFunction, code=flows.REWARD),
        "grpo": node(GRPO, **sampled),
        "measured": node(Evaluate),
        "final": node(SaveModel, folder=str(saved)),
        "script": node(ExportScript, path=str(saved.with_suffix(".py"))),
    }
    wires = (
        "base -> sft, rows -> sft, sft -> grpo, prompts -> grpo, variety -> grpo, grpo -> measured, rows -> measured"
    )
    return flows.draw(
        f"{wires}, rows -> measured, rows -> sft.eval_dataset, grpo -> final, grpo -> script", "tale", **nodes
    )


def test_all_stages_on_the_small_model_and_nothing_of_the_real_run_is_touched(work: Path, tmp_path: Path) -> None:
    write_wide_model(work / "wide", work / "model")
    saved, out = tmp_path / "saved", tmp_path / "out"
    program = flows.program(drawn(saved, rehearsal_model="model"), work)
    events: list[Event] = []
    outcome = rehearse_program(program, out, events.append)
    assert outcome.error is None
    assert not out.exists()
    assert not saved.exists()
    assert not saved.with_suffix(".py").exists()
    there = tmp_path / "out-rehearsal"
    assert json.loads((there / "grpo" / "config.json").read_text())["hidden_size"] == 32
    assert (there / "final" / "config.json").is_file()
    assert (there / "script.py").is_file()
    assert json.loads((there / "measured" / "report.json").read_text())["rows"] == 8
    assert any("eval_loss" in line for line in (there / "sft" / "metrics.jsonl").read_text().splitlines())
    stages = {one["step"]: one for one in json.loads((there / "rehearsal.json").read_text())["stages"]}
    assert stages["sft"]["steps"] == 30
    assert stages["sft"]["factor"] > 2
    assert stages["sft"]["seconds"] > stages["sft"]["rehearsed_seconds"]
    assert stages["grpo"]["peak"] > 0
    done = [event.done for event in events if isinstance(event, Progress) and event.step == "grpo"]
    assert max(done) == 4  # one rollout is used for three steps
    text = "\n".join(event.text for event in events if isinstance(event, Log))
    assert "rehearsed with model in place of wide" in text
    assert "the real run: about" in text


def test_without_a_small_model_it_says_that_the_real_one_is_used(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(flows.alone("sft", max_steps=2), workspace)
    events: list[Event] = []
    assert rehearse_program(program, tmp_path / "out", events.append).error is None
    texts = [event.text for event in events if isinstance(event, Log)]
    assert any("rehearsed with the model itself" in text for text in texts)
    assert max(event.done for event in events if isinstance(event, Progress)) == 2


def test_what_cannot_be_read_of_the_real_model_is_an_error(work: Path, tmp_path: Path) -> None:
    flows.write_hollow_model(work / "hollow")
    base = node(LoadModel, path="hollow", rehearsal_model="model")
    program = flows.program(
        flows.draw("base -> sft, rows -> sft", base=base, rows=flows.ROWS["sft"], sft=node(SFT)), work
    )
    outcome = rehearse_program(program, tmp_path / "out")
    assert outcome.status == "failed"
    assert "the tokenizer of" in str(outcome.error)
    assert not (tmp_path / "out-rehearsal").exists()


def test_a_setting_that_the_library_rejects_is_a_finding(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(flows.alone("sft", lr_scheduler_kwargs={"no_such_setting": 1}), workspace)
    outcome = rehearse_program(program, tmp_path / "out")
    assert outcome.status == "failed"
    assert "SFT 'sft' > lr_scheduler_kwargs: SFTConfig rejects it" in str(outcome.error)
    assert not (tmp_path / "out-rehearsal").exists()


def test_the_work_of_a_stage_is_known_before_it_runs(workspace: Path) -> None:
    program = flows.program(flows.alone("grpo", max_steps=-1, num_train_epochs=2.0), workspace)
    (plan,) = [plan for name, plan in plans_of(program).items() if name == "grpo"]
    assert plan.rows == 16
    assert plan.work is not None
    assert plan.work.steps == 32  # 16 prompts, one in each step of four completions, twice
