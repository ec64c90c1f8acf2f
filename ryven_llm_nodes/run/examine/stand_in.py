"""A trainer on a model of one tiny layer, which prepares rows exactly as the real one will, without its weights."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import fields
from inspect import signature
from typing import Any, Final

from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.configs import configuration
from ryven_llm_nodes.run.library_warnings import unheard
from ryven_llm_nodes.run.loaded import LoadedProgram

WITHOUT: Final[Mapping[str, Any]] = {
    "dataset_num_proc": None,
    "eval_strategy": "no",
    "gradient_checkpointing": False,
    "load_best_model_at_end": False,
    "model_init_kwargs": None,
    "precompute_ref_log_probs": False,
    "push_to_hub": False,
    "report_to": "none",
    "use_liger_kernel": False,
}
"""What a configuration asks for that has no part in preparing rows, and that is slow or needs the real model."""


@contextmanager
def stand_in_trainer(
    program: Program, loaded: LoadedProgram, step: Step, rows: Any, tokenizer: Any, **changes: Any
) -> Iterator[Any]:
    """The trainer of ``step``, which has prepared ``rows``, with ``changes`` to its configuration.

    Raises what the libraries raise where they cannot prepare the rows. The random generators are left unchanged.
    """
    cell = program.cells[step.name]
    trainer_class = loaded.evaluated(cell.trainer_class)
    with tempfile.TemporaryDirectory() as folder, untouched_generators(), no_progress_bars(), unheard():
        config = configuration(program, loaded, step, **_known(loaded.evaluated(cell.config_class), changes))
        config.output_dir = folder
        scores = any(port.kind == "reward" for port in step.node.out_ports)
        models = {name: tiny_model(tokenizer, scores) for name in ("model", *_references(trainer_class))}
        yield trainer_class(args=config, train_dataset=rows, processing_class=deepcopy(tokenizer), **models)


def _known(config_class: type, changes: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(config_class)}
    return {name: value for name, value in {**WITHOUT, **changes}.items() if name in names}


def _references(trainer_class: type) -> list[str]:
    """Other models. TRL would load a reference from where the policy came from, which a stand-in does not have."""
    return [name for name in ("ref_model", "teacher_model") if name in signature(trainer_class.__init__).parameters]


def tiny_model(tokenizer: Any, scores: bool) -> Any:
    """A language model of one layer, or a classifier that ``scores`` texts."""
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    sizes = {"hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, num_labels=1, **sizes)
    config.pad_token_id = tokenizer.pad_token_id
    return LlamaForSequenceClassification(config) if scores else LlamaForCausalLM(config)


@contextmanager
def untouched_generators() -> Iterator[None]:
    """Inside, the generators of the process may be seeded and drawn from, as trainers do."""
    import numpy
    import torch

    before = random.getstate(), numpy.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(before[0])
            numpy.random.set_state(before[1])


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Inside, ``datasets`` shows no progress bars."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    were_enabled = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if were_enabled:
            enable_progress_bars()
