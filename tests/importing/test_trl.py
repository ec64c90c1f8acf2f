"""TRL's command line: a flow of its YAML file trains to the same weights as TRL's own script."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from reading_back import graph, only, told
from rotation import turn

from ryven_llm_nodes.catalogue import GRPO, RLOO, SFT, LLMNode
from ryven_llm_nodes.importing.files import imported
from ryven_llm_nodes.importing.trl import METHODS
from ryven_llm_nodes.program import build
from ryven_llm_nodes.run import run_program

BASE = {
    "model_name_or_path": "./model",
    "dataset_name": "rows",
    "output_dir": "made-by-trl",
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "learning_rate": "1e-3",  # as YAML reads 1e-3
    "gradient_checkpointing": False,
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "save_strategy": "no",
}
SAMPLED = {
    "reward_funcs": ["lengths_beside.score"],
    "max_completion_length": 8,
    "num_generations": 2,
    "per_device_train_batch_size": 4,
}
CASES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "sft": ("sft.jsonl", {}),
    "dpo": ("pairs.jsonl", {"beta": 0.2}),
    "reward": ("pairs.jsonl", {}),
    "grpo": ("chats.jsonl", SAMPLED),
    "rloo": ("chats.jsonl", SAMPLED),
    "kto": ("labelled.jsonl", {}),
}
MODULE = "def score(prompts, completions, **kwargs):\n    return [float(len(str(one))) for one in completions]\n"


def configured(folder: Path, name: str = "config", **given: Any) -> Path:
    """A configuration in ``folder``."""
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(given), encoding="utf-8")
    return file


@pytest.fixture
def here(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a command is started in."""
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(str(work))
    return work


def with_rows(folder: Path, file: str) -> None:
    (folder / "rows").mkdir()
    source = folder / file
    if file == "labelled.jsonl":
        rows = [{"prompt": f"what is {i}", "completion": f" it is {i}", "label": i % 2 == 0} for i in range(16)]
        (folder / "rows" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    else:
        shutil.copy(source, folder / "rows" / "train.jsonl")


def hashed(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def by_trl(command: str, file: Path) -> None:
    """What ``trl COMMAND --config FILE`` does in the process that it starts."""
    script = import_module(f"trl.scripts.{command}")
    parser = script.make_parser()
    script.main(*parser.parse_args_and_config(["--config", str(file)], fail_with_unknown_args=False))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sft", *turn(["dpo", "reward", "grpo", "rloo", "kto"], 5)])
def test_the_flow_gives_the_weights_of_trl(command: str, here: Path) -> None:
    rows, more = CASES[command]
    with_rows(here, rows)
    (here / "lengths_beside.py").write_text(MODULE, encoding="utf-8")
    file = configured(here, **{**BASE, **more})
    program = build(graph(imported(file, here, command), here))

    by_trl(command, file)
    outcome = run_program(program, here / "out")

    assert outcome.error is None, outcome.error
    (stage,) = (step for step in program.steps if step.node is METHODS[command])
    assert hashed(here / "out" / stage.name) == hashed(here / "made-by-trl")
    assert hashed(here / "made-by-trl") != hashed(here / "model")


def test_defaults_are_those_of_trl(data: Path) -> None:
    """Where the nodes have defaults of their own."""
    file = configured(data, model_name_or_path="model", dataset_name="owner/rows")
    given = only(graph(imported(file, data, "sft"), data), SFT)
    assert given == {"learning_rate": 2e-5, "weight_decay": 0.0, "warmup_steps": 0}
    given = only(graph(imported(file, data, "grpo"), data), GRPO)
    assert given["reward_threshold"] is None
    assert (given["learning_rate"], given["epsilon"]) == (1e-6, 0.2)


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ({"reward_funcs": ["think_format_reward"]}, GRPO),
        ({"reward_funcs": ["think_format_reward"], "normalize_advantages": True}, RLOO),
        ({"precompute_ref_log_probs": True, "f_divergence_type": "js_divergence"}, METHODS["dpo"]),
        ({"desirable_weight": 2.0}, METHODS["kto"]),
        ({"center_rewards_coefficient": 0.1}, METHODS["reward"]),
        ({"packing": True}, SFT),
    ],
)
def test_the_method_follows_from_the_keys(given: dict[str, Any], method: type[LLMNode], data: Path) -> None:
    file = configured(data, **{"model_name_or_path": "model", "dataset_name": "owner/rows", **given})
    assert only(graph(imported(file, data), data), method) is not None


def test_the_method_is_told_where_it_is_a_guess(data: Path) -> None:
    file = configured(data, model_name_or_path="model", dataset_name="owner/rows")
    assert told(imported(file, data))["method"].startswith("note: the file does not name it, sft is assumed")
    named = configured(data, "my-dpo", model_name_or_path="model", dataset_name="owner/rows")
    found = imported(named, data)
    assert "method" not in told(found)
    assert only(graph(found, data), METHODS["dpo"])


FULL = {
    "model_name_or_path": "model",
    "model_revision": "v2",
    "dtype": "bfloat16",
    "trust_remote_code": True,
    "dataset_name": "owner/rows",
    "dataset_config": "main",
    "dataset_train_split": "train_sft",
    "dataset_test_split": "test_sft",
    "eval_strategy": "steps",
    "eval_steps": 50,
    "use_peft": True,
    "lora_r": 4,
    "lora_target_modules": ["all-linear"],
    "use_rslora": True,
    "push_to_hub": True,
    "hub_model_id": "me/mine",
    "output_dir": "runs/mine",
    "packing": True,
}


def test_everything_has_a_node(data: Path) -> None:
    found = imported(configured(data, **FULL), data, "sft")
    steps = graph(found, data).by_name
    assert steps["base"].given == {"path": "model", "revision": "v2", "dtype": "bfloat16", "trust_remote_code": True}
    assert steps["dataset"].given == {"path": "owner/rows", "config": "main", "split": "train_sft"}
    assert steps["dataset_2"].given["split"] == "test_sft"
    assert steps["sft"].wires["eval_dataset"].step == "dataset_2"
    assert steps["lora"].given == {
        "r": 4, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear", "use_rslora": True,
        "keep_adapter": True,
    }  # fmt: skip
    assert steps["saved_model"].given == {
        "folder": "mine", "push_to_hub": True, "hub_model_id": "me/mine", "hub_private_repo": False,
    }  # fmt: skip
    assert steps["sft"].given["packing"] is True
    assert {problem.weight for problem in found.told} == {"note"}


def test_peft_chooses_the_modules_that_it_usually_does(work: Path) -> None:
    (work / "model" / "config.json").write_text('{"model_type": "gpt2"}')
    file = configured(work, model_name_or_path=str(work / "model"), dataset_name="owner/rows", use_peft=True)
    steps = graph(imported(file, work, "sft"), work).by_name
    assert steps["lora"].given["target_modules"] == ["c_attn"]


LEFT = {
    "env": {"A": "b"},
    "accelerate_config": "zero2",
    "lora_r": 4,
    "lora_modules_to_save": ["lm_head"],
    "hub_token": "hf_abcdefghijklmnopqrstuvwxyz",
    "learnin_rate": 1,
    "optim": "adamw_tensor",
    "desirable_weight": 2.0,
}


def test_what_is_not_taken_over_is_told(data: Path) -> None:
    found = imported(configured(data, model_name_or_path="model", dataset_name="owner/rows", **LEFT), data, "sft")
    lines = told(found)
    assert set(lines) == set(LEFT)
    assert all(line.startswith("warning: ") and line.endswith(".") for line in lines.values())
    assert "Did you mean 'learning_rate'?" in lines["learnin_rate"]
    assert "hf_abc" not in "".join(lines.values())
    assert "--method kto" in lines["desirable_weight"]
    assert "optim" not in only(graph(found, data), SFT)


def test_a_mixture_of_datasets(data: Path) -> None:
    entries = [
        {"path": "json", "data_files": "sft.jsonl"},
        {"path": "owner/rows", "name": "main", "split": "train[:9]", "columns": ["prompt", "completion"]},
        {"path": "owner/other", "fraction": 0.5},
    ]
    more = {"datasets": entries, "test_split_size": 0.1, "eval_strategy": "epoch"}
    found = imported(configured(data, model_name_or_path="model", **more), data, "sft")
    steps = graph(found, data).by_name
    assert steps["dataset"].given == {"path": "sft.jsonl", "split": "train"}
    assert steps["dataset_2"].given == {"path": "owner/rows", "config": "main", "split": "train[:9]"}
    assert steps["mapped"].given == {"keep": ["prompt", "completion"]}
    assert [wire.step for wire in steps["mixed"].wires.values()] == ["dataset", "mapped", "dataset_3"]
    assert steps["split"].given == {"test_size": 0.1}
    assert (steps["sft"].wires["dataset"].port, steps["sft"].wires["eval_dataset"].port) == ("train", "test")
    assert "limit of each Load Dataset" in told(found)["datasets[2].fraction"]


def test_rewards(data: Path) -> None:
    names = ["accuracy_reward", "think_format_reward", "get_soft_overlong_punishment", "own.module.score", "no_reward"]
    more = {"reward_model_name_or_path": "owner/judge", "reward_funcs": names}
    file = configured(data, model_name_or_path="model", dataset_name="owner/rows", **more)
    found = imported(file, data, "grpo")
    steps = graph(found, data).by_name
    assert [step.node.title for step in steps.values() if "Reward" in step.node.title] == [
        "Reward Model", "Reward Function", "Combine Rewards", "Combine Rewards",
    ]  # fmt: skip
    assert steps["overlong_punishment"].given == {"max_completion_len": 1280, "soft_punish_cache": 256}
    assert "import own.module" in steps["score"].given["code"]
    assert "'no_reward' is no reward of TRL" in told(found)["reward_funcs"]


def test_code_in_the_name_of_a_reward_stays_text(data: Path) -> None:
    evil = "os.system('rm')#.score"
    more = {"reward_funcs": [evil], "model_name_or_path": "model", "dataset_name": "owner/rows"}
    found = imported(configured(data, **more), data, "grpo")
    assert evil not in json.dumps(found.project)


def test_weights_of_rewards(data: Path) -> None:
    more = {"reward_funcs": ["accuracy_reward", "think_format_reward"], "reward_weights": [1.0, 0.5]}
    file = configured(data, model_name_or_path="model", dataset_name="owner/rows", **more)
    steps = graph(imported(file, data, "grpo"), data).by_name
    assert steps["rewards"].given == {"weight_1": 1.0, "weight_2": 0.5}
    assert "reward_weights" not in steps["grpo"].given


@pytest.fixture
def elsewhere(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The path that a flow in ``tmp_path`` gets for a model that is named from the folder ``data``."""
    monkeypatch.chdir(data)

    def path(named: str) -> str:
        file = configured(tmp_path, model_name_or_path=named, dataset_name="owner/rows")
        return str(graph(imported(file, tmp_path, "sft"), tmp_path).by_name["base"].given["path"])

    return path


def test_paths_keep_their_meaning(elsewhere: Callable[[str], str], data: Path, tmp_path: Path) -> None:
    assert (tmp_path / elsewhere("./model")).resolve() == (data / "model").resolve()
    assert elsewhere(str(data / "model")) == str(data / "model")
    assert elsewhere("owner/name") == "owner/name"
