"""Scripts as their users start them: settings on the command line, one stage alone, and lean ones."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import flows
import pytest
from trl import SFTConfig

from ryven_llm_nodes.runtime.pipeline import Pipeline, read_settings

CHAIN = flows.draw(
    "base -> sft, rows -> sft, sft -> dpo, pairs -> dpo",
    base=flows.BASE,
    rows=flows.ROWS["sft"],
    sft=flows.TRAINERS["sft"],
    pairs=flows.ROWS["dpo"],
    dpo=flows.TRAINERS["dpo"],
)


def sft_config(output_dir: Path, **changes: Any) -> SFTConfig:
    return SFTConfig(output_dir=str(output_dir), **{"use_cpu": True, "bf16": False, "max_steps": 5} | changes)


def read(*words: str) -> dict[str, dict[str, Any]]:
    return read_settings(argparse.ArgumentParser(), list(words), {"sft": sft_config})


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ((), {}),
        (("--sft.learning_rate", "1e-5"), {"learning_rate": 1e-5}),
        (("--sft.learning_rate=1e-5", "--sft.max_steps=3"), {"learning_rate": 1e-5, "max_steps": 3}),
        (("--sft.packing", "true", "--sft.eval_steps", "null"), {"packing": True, "eval_steps": None}),
        (("--sft.optim", "adamw_torch"), {"optim": "adamw_torch"}),
        (("--sft.model_init_kwargs", '{"dtype": "float32"}'), {"model_init_kwargs": {"dtype": "float32"}}),
        (("--sft.run_name", "a=b"), {"run_name": "a=b"}),
    ],
)
def test_settings_are_literals_or_text(words: tuple[str, ...], settings: dict[str, Any]) -> None:
    assert read(*words) == {"sft": settings}


@pytest.mark.parametrize("words", [("--sft.learning_rat", "1"), ("--dpo.beta", "1"), ("--verbose",), ("x", "y")])
def test_a_setting_that_there_is_not_ends_it(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read(*words)
    assert ended.value.code == 2
    assert f"{words[0]}: no such setting" in capsys.readouterr().err


def test_what_the_configuration_refuses_ends_it_before_anything_trains() -> None:
    with pytest.raises(ValueError, match="no_such_optimizer"):
        read("--sft.optim", "no_such_optimizer")


def test_a_stage_that_runs_alone_needs_what_is_before_it(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, only="dpo")
    with pytest.raises(SystemExit, match="stage dpo needs sft, which is not finished: run --stage sft"):
        pipeline.train("dpo", object, sft_config, model=str(tmp_path / "sft"))  # type: ignore[arg-type]


def test_other_stages_are_left_alone(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, only="dpo")
    assert pipeline.train("sft", object, sft_config, model="owner/name") == str(tmp_path / "sft")  # type: ignore[arg-type]
    assert pipeline.copy("final", "owner/name", "x") == str(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=script.parent)


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.slow
def test_stages_one_by_one_and_lean_scripts_give_the_same_weights(workspace: Path, tmp_path: Path) -> None:
    """A stage in a process of its own is the stage of the whole; what a lean script leaves out changes no bit."""
    made = flows.program(CHAIN, workspace)
    full, lean = tmp_path / "full.py", tmp_path / "lean.py"
    full.write_text(made.script_for(tmp_path).text)
    lean.write_text(made.script_for(tmp_path, lean=True).text)
    assert len(lean.read_text().splitlines()) < 0.6 * len(full.read_text().splitlines())
    done = run(full, "--output-dir", str(tmp_path / "whole"))
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if not line.startswith("{")]  # metrics of the trainer
    assert told == [f"{name}: {tmp_path / 'whole' / name}" for name in ("sft", "dpo")]
    for stage in ("sft", "dpo"):
        assert run(full, "--output-dir", str(tmp_path / "parts"), "--stage", stage).returncode == 0
    assert run(lean, "--output-dir", str(tmp_path / "lean")).returncode == 0
    for stage in ("sft", "dpo"):
        expected = weights(tmp_path / "whole" / stage)
        assert weights(tmp_path / "parts" / stage) == expected
        assert weights(tmp_path / "lean" / stage) == expected


@pytest.mark.slow
def test_a_setting_of_the_command_line_is_that_of_the_flow(workspace: Path, tmp_path: Path) -> None:
    script, other = tmp_path / "script.py", tmp_path / "other.py"
    script.write_text(flows.program(flows.alone("sft"), workspace).script_for(tmp_path).text)
    other.write_text(flows.program(flows.alone("sft", learning_rate=5e-4), workspace).script_for(tmp_path).text)
    done = run(script, "--output-dir", str(tmp_path / "a"), "--sft.learning_rate", "5e-4")
    assert done.returncode == 0, done.stderr
    assert run(other, "--output-dir", str(tmp_path / "b")).returncode == 0
    assert weights(tmp_path / "a/sft") == weights(tmp_path / "b/sft")


@pytest.mark.slow
def test_lean_lora_is_merged_to_the_same_weights(workspace: Path, tmp_path: Path) -> None:
    made = flows.program(flows.alone("sft", lora=True), workspace)
    for name, lean in (("full", False), ("lean", True)):
        script = tmp_path / f"{name}.py"
        script.write_text(made.script_for(tmp_path, lean=lean).text)
        assert run(script, "--output-dir", str(tmp_path / name)).returncode == 0
    assert weights(tmp_path / "full/sft") == weights(tmp_path / "lean/sft")


def test_a_stage_that_goes_on_after_its_end_needs_checkpoints_also_in_a_lean_script(data: Path) -> None:
    drawn = flows.alone("sft", extra_steps=2, save_strategy="steps")
    assert "class AtomicCheckpoints" in flows.program(drawn, data).script_for(data, lean=True).text
    assert "class AtomicCheckpoints" not in flows.program(flows.alone("sft"), data).script_for(data, lean=True).text
