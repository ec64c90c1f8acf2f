"""Packages and hardware that a flow needs and this machine does not have. Loads none of them.

A check and a run report them as problems. An export does not: the script may be meant for another machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Final

from ryven_llm_nodes.catalogue.node import Package
from ryven_llm_nodes.errors import Problem, shown
from ryven_llm_nodes.program import Program, Step

BITSANDBYTES: Final = ("bitsandbytes", "bitsandbytes")
TORCHAO: Final = ("torchao", "torchao")
APOLLO: Final = ("apollo_torch", "apollo-torch")
GALORE: Final = ("galore_torch", "galore-torch")
LOMO: Final = ("lomo_optim", "lomo-optim")
SCHEDULE_FREE: Final = ("schedulefree", "schedulefree")
OPTIMIZERS: Final[Mapping[str, Package]] = {
    "adamw_bnb_8bit": BITSANDBYTES,
    "adamw_8bit": BITSANDBYTES,
    "ademamix": BITSANDBYTES,
    "ademamix_8bit": BITSANDBYTES,
    "lion_8bit": BITSANDBYTES,
    "lion_32bit": BITSANDBYTES,
    "paged_adamw_32bit": BITSANDBYTES,
    "paged_adamw_8bit": BITSANDBYTES,
    "paged_ademamix_32bit": BITSANDBYTES,
    "paged_ademamix_8bit": BITSANDBYTES,
    "paged_lion_32bit": BITSANDBYTES,
    "paged_lion_8bit": BITSANDBYTES,
    "rmsprop_bnb": BITSANDBYTES,
    "rmsprop_bnb_8bit": BITSANDBYTES,
    "rmsprop_bnb_32bit": BITSANDBYTES,
    "adamw_torch_4bit": TORCHAO,
    "adamw_torch_8bit": TORCHAO,
    "adamw_anyprecision": ("torchdistx", "torchdistx"),
    "adamw_torch_xla": ("torch_xla", "torch_xla"),
    "adamw_torch_npu_fused": ("torch_npu", "torch_npu"),
    "galore_adamw": GALORE,
    "galore_adamw_8bit": GALORE,
    "galore_adafactor": GALORE,
    "galore_adamw_layerwise": GALORE,
    "galore_adamw_8bit_layerwise": GALORE,
    "galore_adafactor_layerwise": GALORE,
    "lomo": LOMO,
    "adalomo": LOMO,
    "grokadamw": ("grokadamw", "grokadamw"),
    "schedule_free_radam": SCHEDULE_FREE,
    "schedule_free_adamw": SCHEDULE_FREE,
    "schedule_free_sgd": SCHEDULE_FREE,
    "apollo_adamw": APOLLO,
    "apollo_adamw_layerwise": APOLLO,
    "stable_adamw": ("optimi", "torch-optimi"),
}
REPORTS: Final[Mapping[str, Package]] = {
    "azure_ml": ("azureml", "azureml-mlflow"),
    "comet_ml": ("comet_ml", "comet-ml"),
    "mlflow": ("mlflow", "mlflow"),
    "neptune": ("neptune", "neptune"),
    "tensorboard": ("tensorboard", "tensorboard"),
    "trackio": ("trackio", "trackio"),
    "wandb": ("wandb", "wandb"),
    "codecarbon": ("codecarbon", "codecarbon"),
    "clearml": ("clearml", "clearml"),
    "dagshub": ("dagshub", "dagshub mlflow"),
    "flyte": ("flytekit", "flytekit"),
    "dvclive": ("dvclive", "dvclive"),
    "swanlab": ("swanlab", "swanlab"),
    "kubeflow": ("kubeflow", "kubeflow"),
}
SWITCHES: Final[Mapping[str, Package]] = {
    "use_vllm": ("vllm", "'ryven-llm-nodes[gpu]'"),
    "use_liger_kernel": ("liger_kernel", "liger-kernel"),
    "deepspeed": ("deepspeed", "'trl[deepspeed]'"),
}
TABLES: Final[Mapping[str, Mapping[str, Package]]] = {
    "optim": OPTIMIZERS,
    "report_to": REPORTS,
    "torch_compile_backend": {"tvm": ("tvm", "apache-tvm")},
    "cache_implementation": {"quantized": ("optimum.quanto", "optimum-quanto")},
}


def here_problems(program: Program) -> Iterator[Problem]:
    """What the nodes of ``program`` need and this machine does not have."""
    for step in program.steps:
        for module, requirement in step.node.packages(program.context(step)):
            if not is_installed(module):
                what = f"needs the package {module}, which is not installed here; pip install {requirement}."
                yield step.problem(what)
        if program.cells[step.name].config:
            for name, value, (module, requirement) in _packages(step):
                if not is_installed(module):
                    what = f"{shown(value)} needs the package {module}, which is not installed here"
                    yield step.problem(f"{what}; pip install {requirement}, or clear this.", name)
        yield from _hub_problems(step)


def _packages(step: Step) -> Iterator[tuple[str, Any, Package]]:
    """The fields that need a package, and which of their values do."""
    given = step.given
    yield from ((name, given[name], package) for name, package in SWITCHES.items() if given.get(name))
    for name, table in TABLES.items():
        values = given.get(name)
        for value in values if isinstance(values, list) else [values]:
            if value in table:
                yield name, value, table[value]


def is_installed(module: str) -> bool:
    """Whether a module, of a package or below one, can be imported here."""
    package = module.split(".")[0]
    try:
        return find_spec(package) is not None and (package == module or find_spec(module) is not None)
    except (ImportError, ValueError):
        return False


def _hub_problems(step: Step) -> Iterator[Problem]:
    """Uploads need a network and a login."""
    fields: dict[str, Any] = {name: step.given.get(name) for name in ("push_to_hub", "log_completions_hub_repo")}
    for name, value in fields.items():
        if value and (reason := _no_hub()):
            yield step.problem(f"uploads to the Hub, but {reason}, or clear this.", name)


def _no_hub() -> str | None:
    """Why nothing can be uploaded, and what to do."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return "HF_HUB_OFFLINE is set; unset it"
    from huggingface_hub import get_token

    return None if get_token() else "you are not logged in; run `hf auth login`"
