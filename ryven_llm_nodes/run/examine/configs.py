"""Builds each stage's configuration before training, and what is built from it later: schedule, optimizer, ...

An error of a library is attributed to the field that it names, or to the field without which it does not occur.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.system.causes import describe

Attempt = Callable[[Any], object]
COMPLETION: Final = ("max_completion_length", "max_new_tokens")
"""The fields that bound the tokens of a completion; a trainer has one of them."""


def completion_field(config: Any) -> str:
    """The name of the one of them that a configuration has."""
    return next(name for name in COMPLETION if hasattr(config, name))


def completion_length(config: Any) -> int:
    """The most tokens that a trainer with the configuration ``config`` samples for a completion."""
    return getattr(config, completion_field(config))


def completion_setting(step: Step) -> tuple[str, int]:
    """Name and value of the same of a trainer whose configuration has not been made; 0 where it has no limit."""
    name = next(name for name in COMPLETION if name in step.node.all_parameters())
    return name, step.setting(name) or 0


def config_problems(program: Program, loaded: LoadedProgram, step: Step) -> Iterator[Problem]:
    """What is wrong with the settings of the trainer ``step``."""
    for attempt in ATTEMPTS:
        try:
            attempt(configuration(program, loaded, step))
        except Exception as error:  # the stage would fail with the same error
            field = _culprit(program, loaded, step, attempt, error)
            yield step.problem(f"{program.cells[step.name].config_class} rejects it: {describe(error)}", field)
            return


def configuration(program: Program, loaded: LoadedProgram, step: Step, without: str = "", **changes: Any) -> Any:
    """The stage's own configuration, from its own text, without the field ``without`` and with ``changes``."""
    module = loaded.module
    scope = dict(module.__dict__)
    cell = program.cells[step.name]
    kind = cell.config_class
    if without:
        original = scope[kind]
        scope[kind] = lambda **fields: original(**{n: value for n, value in fields.items() if n != without})
        exec(loaded.definition(step.name), scope)
    return scope[cell.config](loaded.output_dir / step.name, **changes)


def _culprit(program: Program, loaded: LoadedProgram, step: Step, attempt: Attempt, error: Exception) -> str:
    """The field that ``error`` is about: of those that were set, one that it names, or without which it disappears."""
    text, names = str(error), step.node.all_parameters()
    given = sorted((name for name in step.given if name in names), key=lambda name: _place(name, text))
    decisive = (name for name in given if _works(program, loaded, step, attempt, name))
    named = next((name for name in names if _place(name, text) < len(text)), "")
    return next(decisive, given[0] if given and _place(given[0], text) < len(text) else named)


def _place(name: str, text: str) -> int:
    """Where ``text`` names a field; its end where it does not."""
    found = re.search(rf"(?<![\w.]){name}\b", text)
    return found.start() if found else len(text)


def _works(program: Program, loaded: LoadedProgram, step: Step, attempt: Attempt, without: str) -> bool:
    with suppress(Exception):
        attempt(configuration(program, loaded, step, without))
        return True
    return False


# What is built from a configuration


def _nothing(config: Any) -> None:
    """Building it finds most problems."""


def _optimizer_and_schedule(config: Any) -> None:
    import torch
    from transformers import Trainer, get_scheduler

    model = torch.nn.Sequential(torch.nn.Linear(1, 1))
    kind, settings = Trainer.get_optimizer_cls_and_kwargs(config, model)
    optimizer = kind(model.parameters(), **{n: v for n, v in settings.items() if n not in ("params", "model")})
    own = {"scheduler_specific_kwargs": dict(config.lr_scheduler_kwargs or {})}
    get_scheduler(config.lr_scheduler_type, optimizer, num_warmup_steps=0, num_training_steps=10, **own)


def _generation(config: Any) -> None:
    """Built as GRPOTrainer does, which rejects unknown settings."""
    if not hasattr(config, "generation_kwargs"):
        return
    import torch
    from transformers import GenerationConfig

    cache = config.cache_implementation or ""
    if cache.startswith("offloaded") and not torch.cuda.is_available():
        raise ValueError(f"cache_implementation: {cache!r} offloads the cache from a GPU, and this machine has none")
    names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "cache_implementation")
    fields = {name: getattr(config, name) for name in names}
    own = config.generation_kwargs or {}
    GenerationConfig(max_new_tokens=completion_length(config), do_sample=True, **fields).validate()
    known = vars(GenerationConfig())
    if unknown := [name for name in own if name not in known]:
        raise ValueError(f"generation_kwargs: generation has no setting {', '.join(map(repr, unknown))}")
    GenerationConfig(**{"do_sample": True, **own}).validate()


def _compilation(config: Any) -> None:
    if config.torch_compile:
        import torch

        there = torch._dynamo.list_backends(exclude_tags=())
        if config.torch_compile_backend not in there:
            raise ValueError(f"torch_compile_backend: this backend is not available; available: {', '.join(there)}")


def _checkpointing(config: Any) -> None:
    from inspect import signature

    from torch.utils.checkpoint import checkpoint

    known = {*signature(checkpoint).parameters, "every_n_layers", "selective"}
    for name in ("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs"):
        if unknown := [key for key in getattr(config, name, None) or {} if key not in known]:
            raise ValueError(f"{name}: checkpointing has no setting {', '.join(map(repr, unknown))}")


def _continuous_batching(config: Any) -> None:
    if getattr(config, "transformers_continuous_batching_config", None):
        from transformers.generation import ContinuousBatchingConfig

        ContinuousBatchingConfig(**config.transformers_continuous_batching_config)


ATTEMPTS: Final[tuple[Attempt, ...]] = (
    _nothing,
    _optimizer_and_schedule,
    _generation,
    _checkpointing,
    _compilation,
    _continuous_batching,
)
