"""The proof that the script equals the run: same weights, bit for bit, from an interpreter without this package."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import flows
import pytest
from flows import BASE, FAST, ROLLOUT, draw, node

from ryven_llm_nodes.catalogue import (
    GROUPS,
    GRPO,
    SFT,
    ChatTemplate,
    CombineRewards,
    ConvertFormat,
    Deduplicate,
    ExactMatch,
    Filter,
    GenerateRows,
    InlineTable,
    Keywords,
    LengthReward,
    LoadDataset,
    MapColumns,
    MathAccuracy,
    Mix,
    OverlongPunishment,
    PatternMatch,
    RepetitionPenalty,
    RewardFunction,
    RewardModel,
    Split,
    ThinkFormat,
    Threshold,
    ValidJSON,
)
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


def both(
    drawn: flows.Project, workspace: Path, tmp_path: Path, elsewhere: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The weights of all stages, of a run and of the exported script."""
    program = flows.program(drawn, workspace)
    script = tmp_path / "script.py"
    script.write_text(program.script_for(tmp_path).text, encoding="utf-8")

    outcome = run_program(program, tmp_path / "run")
    assert outcome.error is None, outcome.error
    command = [sys.executable, str(script), "--output-dir", str(tmp_path / "script")]
    done = subprocess.run(command, env=elsewhere, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return weights(tmp_path / "run"), weights(tmp_path / "script")


@pytest.mark.slow
@pytest.mark.parametrize(("method", "lora"), CASES, ids=[f"{m}-{'lora' if lora else 'full'}" for m, lora in CASES])
def test_the_script_ends_with_the_weights_of_the_run(
    method: str, lora: bool, workspace: Path, tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    drawn = flows.chain(lora) if method == "chain" else flows.alone(method, lora)
    of_run, of_script = both(drawn, workspace, tmp_path, elsewhere)
    stages = set(flows.METHODS) if method == "chain" else {method}
    assert set(of_run) == stages | {"final-model"}
    assert of_run == of_script
    base = hashlib.sha256((workspace / "model" / "model.safetensors").read_bytes()).hexdigest()
    moved = [of_run[stage] for stage in flows.METHODS if stage in stages]
    assert len({base, *moved}) == len(moved) + 1, "every stage must have changed the weights"


MADE = """def sums():
    for a in range(16):
        yield {
            "prompt": [{"role": "user", "content": f"What is {a} + 1?"}],
            "completion": [{"role": "assistant", "content": str(a + 1)}],
        }
"""
DATA = {
    "table": node(
        InlineTable,
        rows="\n".join(json.dumps({"instruction": q, "input": "", "output": f"yes {q}"}) for q in flows.QUESTIONS),
    ),
    "alpaca": node(ConvertFormat),
    "csv": node(LoadDataset, path="answers.csv"),
    "own": node(
        MapColumns,
        templates={
            "prompt": [{"role": "user", "content": "{question}?"}],
            "completion": [{"role": "assistant", "content": "{answer}"}],
        },
        keep=["prompt", "completion"],
    ),
    "made": node(GenerateRows, code=MADE),
    "mixed": node(Mix, weight_2=2.0),
    "kept": node(
        Filter,
        columns=["prompt"],
        unit="tokens",
        max_length=30,
        pattern="is",
        code="import helper_beside\n\n\ndef keep(row):\n    return helper_beside.keeps(row)\n",
    ),
    "unique": node(Deduplicate, columns=["prompt"]),
    "split": node(Split, test_size=0.25),
    "template": node(ChatTemplate, source="file", chat_template_path="own.jinja"),
}
"""Every node of data, in a row."""


def write_answers(folder: Path) -> None:
    (folder / "answers.csv").write_text(
        "question,answer\n" + "".join(f"{q},00{i}\n" for i, q in enumerate(flows.QUESTIONS))
    )
    (folder / "own.jinja").write_text(flows.CHAT_TEMPLATE.replace("<{{", "so: <{{"))
    (folder / "helper_beside.py").write_text("def keeps(row):\n    return '7' not in row['prompt'][0]['content']\n")


@pytest.mark.slow
def test_every_node_of_data(work: Path, tmp_path: Path, elsewhere: dict[str, str]) -> None:
    assert {kind for kind, _ in DATA.values()} - {LoadDataset} == set(GROUPS["Data"])
    write_answers(work)
    wires = "table -> alpaca, csv -> own, alpaca -> mixed, own -> mixed, made -> mixed, mixed -> kept, base -> kept"
    wires += ", kept -> unique, unique -> split, base -> template, template -> sft"
    wires += ", split.train -> sft.dataset, split.test -> sft.eval_dataset"
    drawn = draw(wires, base=BASE, **DATA, sft=node(SFT, **FAST))
    assert 10 < len(flows.dataset(drawn, work, "split", "train")) < 36, "rows are lost in between, and some are left"
    of_run, of_script = both(drawn, work, tmp_path, elsewhere)
    assert set(of_run) == {"template", "sft"}
    assert of_run == of_script


REWARDS = {
    "exact": node(ExactMatch, pattern=r"\d"),
    "pattern": node(PatternMatch, pattern="[aeiou]"),
    "is_json": node(ValidJSON),
    "length": node(LengthReward, unit="characters", at_most=12),
    "words": node(Keywords, wanted=["a", "e"], unwanted=["yes"]),
    "thinks": node(ThinkFormat),
    "repeats": node(RepetitionPenalty, ngram_size=1),
    "ends": node(OverlongPunishment, max_completion_len=8, soft_punish_cache=6),
    "variety": node(RewardFunction, code=flows.REWARD),
    "limit": node(Threshold, threshold=0.7, mode="penalize"),
}
"""Every reward but the one of a package that is not installed with this one, and that of a model."""


@pytest.mark.slow
def test_every_reward(workspace: Path, tmp_path: Path, elsewhere: dict[str, str]) -> None:
    used = {kind for kind, _ in REWARDS.values()} | {CombineRewards}
    assert set(GROUPS["Rewards"]) - used == {MathAccuracy, RewardModel}
    table = node(InlineTable, rows="\n".join(json.dumps({"prompt": q, "answer": "4"}) for q in flows.QUESTIONS))
    sums = {f"sum_{i}": node(CombineRewards, weight_2=0.5) for i in (1, 2, 3)}
    first, second = ["exact", "pattern", "is_json", "length"], ["words", "thinks", "repeats", "ends"]
    wires = [f"{name} -> sum_1" for name in first] + [f"{name} -> sum_2" for name in second]
    wires += ["variety -> limit", "sum_1 -> sum_3", "sum_2 -> sum_3", "limit -> sum_3"]
    wires += ["base -> grpo", "table -> grpo", "sum_3 -> grpo"]
    grpo = node(GRPO, **ROLLOUT, num_generations=4, reward_threshold=None)
    drawn = draw(", ".join(wires), base=BASE, table=table, **REWARDS, **sums, grpo=grpo)
    of_run, of_script = both(drawn, workspace, tmp_path, elsewhere)
    assert set(of_run) == {"grpo"}
    assert of_run == of_script
    assert of_run["grpo"] != hashlib.sha256((workspace / "model" / "model.safetensors").read_bytes()).hexdigest()


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
