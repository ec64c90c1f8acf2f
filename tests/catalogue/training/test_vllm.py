"""Rollouts by vLLM: what is refused, and the server as TRL itself would start it."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import GRPO, LoadModel, LoRA
from ryven_llm_nodes.catalogue.serving import MODE, Server
from ryven_llm_nodes.catalogue.training.vllm import vllm_server

SERVED = {"use_vllm": True, "vllm_mode": "server"}
PACKAGE = Path(__file__).parents[3]


def server(data: Path, **params: Any) -> Server | None:
    program = flows.program(flows.alone("grpo", **params), data)
    return vllm_server(program.context(program.graph.by_name["grpo"]))


WRONG: list[tuple[str, dict[str, Any], int, str]] = [
    (
        "grpo",
        {"use_vllm": True, "vllm_tensor_parallel_size": 4},
        6,
        "GRPO 'grpo' > vllm_tensor_parallel_size: must divide the 6 processes of the stage, got 4. Use 1, 2, 3, 6.",
    ),
    (
        "grpo",
        {**SERVED, "vllm_server_base_url": "localhost:8000"},
        1,
        "GRPO 'grpo' > vllm_server_base_url: must be an address such as http://localhost:8000, got 'localhost:8000'.",
    ),
    (
        "grpo",
        {"use_vllm": True, "loss_type": "vespo"},
        1,
        "GRPO 'grpo' > vllm_importance_sampling_mode: must be 'token_truncate' or 'token_mask' with loss_type "
        "'vespo', got 'sequence_mask'.",
    ),
    (
        "ppo",
        {"use_vllm": True},
        1,
        "PPO 'ppo' > use_vllm: is not for PPO: TRL sends vLLM all weights, and vLLM has no place for a value head.",
    ),
]


@pytest.mark.parametrize(("method", "params", "processes", "said"), WRONG)
def test_what_trl_would_refuse_late(method: str, params: dict[str, Any], processes: int, said: str, data: Path) -> None:
    params = {"num_generations": 2, **params} if method == "grpo" else params
    drawn = flows.launched(flows.alone(method, **params), processes=processes)
    assert flows.problems(drawn, data) == [said]


def test_a_model_in_eight_bits(data: Path) -> None:
    drawn = flows.draw(
        "base -> grpo, rows -> grpo, lora -> grpo, variety -> grpo",
        base=node(LoadModel, path="model", quantization="8-bit"),
        rows=flows.ROWS["grpo"],
        lora=node(LoRA),
        variety=node(flows.RewardFunction, code=flows.REWARD),
        grpo=node(GRPO, use_vllm=True),
    )
    assert flows.problems(drawn, data) == [
        "GRPO 'grpo' > use_vllm: and a model in 8 bits exclude each other: vLLM does not load one; use 4-bit, or clear "
        "this."
    ]


def test_the_server_is_the_one_that_the_fields_name(data: Path) -> None:
    assert server(data) is None
    assert server(data, use_vllm=True) is None, "in its own processes"
    found = server(data, **SERVED, vllm_server_port=8123)
    assert found is not None
    assert (found.address, found.is_here, found.port) == ("http://0.0.0.0:8123", True, 8123)
    elsewhere = server(data, **SERVED, vllm_server_base_url="http://node7:9000")
    assert elsewhere is not None
    assert (elsewhere.address, elsewhere.is_here) == ("http://node7:9000", False)


def test_its_command_is_that_of_trl(data: Path) -> None:
    """Each option that TRL imposes, and the same values of those that both give."""
    import inspect

    from trl.scripts.vllm_serve import ScriptArguments, build_command, main

    more = {"vllm_tensor_parallel_size": 2, "vllm_gpu_memory_utilization": 0.8, "vllm_max_model_length": 4096}
    found = server(data, **SERVED, **more, vllm_model_impl="transformers")
    assert found is not None
    own = {"host": "127.0.0.1", "port": 8000, "tensor_parallel_size": 2, "gpu_memory_utilization": 0.8}
    arguments = ScriptArguments(model="m", **own, max_model_len=4096, vllm_model_impl="transformers")
    theirs, ours = (pairs(words) for words in (build_command(arguments)[5:], found.arguments))
    assert ours.items() <= theirs.items()
    left = {name: theirs[name] for name in theirs.keys() - ours.keys()}
    defaults = {"--data-parallel-size": "1", "--dtype": "auto", "--kv-cache-dtype": "auto"}
    assert left == {**defaults, "--uvicorn-log-level": "info"}, "all others are vLLM's own defaults"
    assert f'env["{MODE}"] = "1"' in inspect.getsource(main)


def pairs(words: Any) -> dict[str, str]:
    return dict(zip(words[::2], words[1::2], strict=True))


def test_the_extra_has_the_bounds_that_trl_declares() -> None:
    import tomllib

    declared = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["optional-dependencies"]["gpu"]
    theirs = [line.partition(";")[0] for line in requires("trl") or () if re.search(r"extra == .(vllm|liger).", line)]

    def bounds(lines: list[str]) -> dict[str, set[str]]:
        found = (re.match(r"([\w-]+)(.*)", line.replace(" ", "")) for line in lines)
        return {match[1]: set(match[2].split(",")) for match in found if match}

    assert bounds(theirs).items() <= bounds(declared).items()
