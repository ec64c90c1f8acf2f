"""The proof that the script equals the run: same weights, bit for bit, from an interpreter without this package."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.run import run_program

CASES = [(method, lora) for method in (*flows.METHODS, "chain") for lora in (False, True)]


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing this package fails, installed or not."""
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "ryven_llm_nodes.py").write_text("raise ImportError('the script must not need this package')\n")
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"PYTHONPATH": str(shadow), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def weights(folder: Path) -> dict[str, str]:
    """The sha256 of the weights of every finished model below a folder."""
    files = sorted(folder.glob("*/model.safetensors"))
    return {file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "lora"), CASES, ids=[f"{m}-{'lora' if lora else 'full'}" for m, lora in CASES])
def test_the_script_ends_with_the_weights_of_the_run(
    method: str, lora: bool, workspace: Path, tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    drawn = flows.chain(lora) if method == "chain" else flows.alone(method, lora)
    program = flows.program(drawn, workspace)
    script = tmp_path / "script.py"
    script.write_text(program.script_for(tmp_path).text, encoding="utf-8")

    outcome = run_program(program, tmp_path / "run")
    assert outcome.error is None
    command = [sys.executable, str(script), "--output-dir", str(tmp_path / "script")]
    done = subprocess.run(command, env=elsewhere, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-3000:]

    of_run, of_script = weights(tmp_path / "run"), weights(tmp_path / "script")
    stages = set(flows.METHODS) if method == "chain" else {method}
    assert set(of_run) == stages | {"final-model"}
    assert of_run == of_script
    base = hashlib.sha256((workspace / "model" / "model.safetensors").read_bytes()).hexdigest()
    moved = [of_run[stage] for stage in flows.METHODS if stage in stages]
    assert len({base, *moved}) == len(moved) + 1, "every stage must have changed the weights"


def test_the_package_cannot_be_imported_where_scripts_run(elsewhere: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import ryven_llm_nodes"]
    done = subprocess.run(command, env=elsewhere, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "must not need this package" in done.stderr


def test_a_branch_is_the_same_model_for_both_of_its_readers(workspace: Path, tmp_path: Path) -> None:
    """PPO trains from the SFT model and DPO takes it as reference: the folder is as SFT left it."""
    program = flows.program(flows.chain(), workspace)
    alone = flows.program(flows.chain(), workspace).graph.upstream(["sft"])
    from ryven_llm_nodes.program import build

    assert run_program(build(alone), tmp_path / "alone").error is None
    assert run_program(program, tmp_path / "chain").error is None
    assert weights(tmp_path / "alone")["sft"] == weights(tmp_path / "chain")["sft"]


@pytest.mark.slow
def test_the_script_runs_in_several_processes(workspace: Path, tmp_path: Path, elsewhere: dict[str, str]) -> None:
    """As under ``accelerate launch``, which starts processes in this way: one saves, all go on together."""
    script = tmp_path / "script.py"
    script.write_text(flows.program(flows.chain(lora=True), workspace).script_for(tmp_path).text, encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launch, str(script), "--output-dir", str(tmp_path / "out")]
    done = subprocess.run(command, env=elsewhere, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert set(weights(tmp_path / "out")) == {*flows.METHODS, "final-model"}
