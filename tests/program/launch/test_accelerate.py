"""The configuration of accelerate: its own launcher reads it, and starts what the settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ryven_llm_nodes.program.launch.accelerate import accelerate_text, yaml_lines
from ryven_llm_nodes.program.launch.settings import Launch


def arguments(launch: Launch, tmp_path: Path) -> object:
    """What ``accelerate launch --config_file`` makes of it."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    file = tmp_path / "accelerate.yaml"
    file.write_text(accelerate_text(launch))
    parsed = launch_command_parser().parse_args(["--config_file", str(file), "script.py"])
    return _validate_launch_command(parsed)[0]


@pytest.mark.parametrize("offload", [False, True])
def test_fsdp2(offload: bool, tmp_path: Path) -> None:
    from accelerate.utils.launch import prepare_multi_gpu_env

    launch = Launch({"processes": 8, "strategy": "fsdp2", "cpu_offload": offload, "precision": "bf16"})
    found = arguments(launch, tmp_path)
    assert (found.use_fsdp, found.num_processes, found.num_machines, found.mixed_precision) == (True, 8, 1, "bf16")
    found.main_process_port = 0
    env = prepare_multi_gpu_env(found)
    assert env["ACCELERATE_USE_FSDP"] == "true"
    assert env["FSDP_VERSION"] == "2"
    assert env["FSDP_OFFLOAD_PARAMS"] == str(offload).lower()
    assert env["FSDP_STATE_DICT_TYPE"] == "SHARDED_STATE_DICT"
    assert env["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "false"


@pytest.mark.parametrize(("strategy", "stage"), [("zero2", 2), ("zero3", 3)])
def test_deepspeed(strategy: str, stage: int, tmp_path: Path) -> None:
    from accelerate.utils.launch import prepare_deepspeed_cmd_env

    found = arguments(Launch({"processes": 4, "strategy": strategy, "cpu_offload": True}), tmp_path)
    assert found.use_deepspeed
    found.deepspeed_fields_from_accelerate_config = ""
    found.main_process_port = 0
    env = prepare_deepspeed_cmd_env(found)[1]
    assert env["ACCELERATE_DEEPSPEED_ZERO_STAGE"] == str(stage)
    assert env["ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE"] == "cpu"
    assert env["ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE"] == ("cpu" if stage == 3 else "none")
    assert env["ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL"] == str(stage == 3).lower()


def test_one_and_several(tmp_path: Path) -> None:
    assert arguments(Launch(), tmp_path).num_processes == 1
    found = arguments(Launch({"processes": 4, "machines": 2}), tmp_path)
    assert (found.multi_gpu, found.num_processes, found.num_machines) == (True, 8, 2)


def test_yaml_is_what_a_parser_reads() -> None:
    import yaml

    data = {"a": 'x: "y" # no', "b": {"c": True, "d": None, "e": 1.5}, "f": "line\n  indented\n\nlast\n", "g": "on"}
    assert yaml.safe_load("\n".join(yaml_lines(data)) + "\n") == data
