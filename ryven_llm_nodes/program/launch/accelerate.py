"""The configuration of accelerate for a launch: what ``accelerate launch --config_file`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ryven_llm_nodes.program.launch.settings import Launch

TYPES: Final = {"one": "NO", "ddp": "MULTI_GPU", "fsdp2": "FSDP", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED"}
"""What accelerate calls a strategy."""


def accelerate_config(launch: Launch) -> dict[str, Any]:
    """The configuration as accelerate's ClusterConfig declares it."""
    precision = launch["precision"]
    return {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": TYPES[launch.strategy],
        "num_machines": launch["machines"],
        "num_processes": launch.total,
        "machine_rank": 0,
        "main_training_function": "main",
        **({"rdzv_backend": "c10d", "same_network": True} if launch["machines"] > 1 else {}),
        **({} if precision == "auto" else {"mixed_precision": precision}),
        **_sharding(launch),
    }


def _sharding(launch: Launch) -> dict[str, Any]:
    offload = bool(launch["cpu_offload"])
    if launch.strategy == "fsdp2":
        return {
            "fsdp_config": {
                "fsdp_version": 2,
                "fsdp_reshard_after_forward": True,
                "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
                # Every process reads the weights: what a reference starts from is not sent by the first one.
                "fsdp_cpu_ram_efficient_loading": False,
                "fsdp_offload_params": offload,
                "fsdp_state_dict_type": "SHARDED_STATE_DICT",
            }
        }
    if not launch.strategy.startswith("zero"):
        return {}
    device, stage = "cpu" if offload else "none", int(launch.strategy[-1])
    return {
        "deepspeed_config": {
            "zero_stage": stage,
            "offload_optimizer_device": device,
            "offload_param_device": device if stage == 3 else "none",
            "deepspeed_multinode_launcher": "standard",
            "zero3_init_flag": False,
            "zero3_save_16bit_model": stage == 3,
        }
    }


def accelerate_text(launch: Launch) -> str:
    """The configuration as YAML."""
    return "\n".join(yaml_lines(accelerate_config(launch))) + "\n"


def yaml_lines(data: Mapping[str, Any], margin: str = "") -> Iterator[str]:
    """``data`` as lines of YAML; text of several lines is written as a block."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield f"{margin}{key}:"
            yield from yaml_lines(value, f"{margin}  ")
        elif isinstance(value, str) and "\n" in value:
            yield f"{margin}{key}: |"
            yield from (f"{margin}  {line}".rstrip() for line in value.rstrip("\n").split("\n"))
        else:
            yield f"{margin}{key}: {json.dumps(value)}"  # whose values YAML reads as they are
