"""The base of the training methods: ports, the fields of TRL's configuration, and what is found wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, Cell
from ryven_llm_nodes.catalogue.columns import is_converted, missing_columns
from ryven_llm_nodes.catalogue.files import FILE_FIELDS, HUB_FIELDS, File, files_named_by
from ryven_llm_nodes.catalogue.findings import Complaint, Finding, Seen, converting
from ryven_llm_nodes.catalogue.held import Head, Held
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter, number, whole
from ryven_llm_nodes.catalogue.places import looks_local, resolve
from ryven_llm_nodes.catalogue.quantization import quantization_complaints
from ryven_llm_nodes.catalogue.serving import Server
from ryven_llm_nodes.catalogue.training.amount import Amount
from ryven_llm_nodes.catalogue.training.early_stopping import (
    EARLY,
    early_complaints,
    early_findings,
    early_part,
    early_settings,
)
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.fitting import Fitting
from ryven_llm_nodes.catalogue.training.global_batch import (
    GLOBAL,
    global_batch,
    global_batch_complaints,
    global_batch_part,
)
from ryven_llm_nodes.catalogue.training.limits import RULES
from ryven_llm_nodes.catalogue.training.rehearsing import few_steps
from ryven_llm_nodes.catalogue.training.stage import (
    EXTRA_STEPS,
    Part,
    Stage,
    adapter_part,
    data_part,
    longer_part,
    model_part,
    timeout_part,
)
from ryven_llm_nodes.catalogue.training.trainer_functions import function_complaints, function_part
from ryven_llm_nodes.catalogue.training.vllm import vllm_complaints, vllm_server
from ryven_llm_nodes.catalogue.values import DatasetValue, ModelValue, Value
from ryven_llm_nodes.catalogue.work import Work
from ryven_llm_nodes.errors import Remedy, shown, suggestion

MODEL: Final = Port("model", "model", help="The policy that is trained: where it is loaded from.")
DATASET: Final = Port("dataset", "dataset", help="The rows to train on.")
EVAL: Final = Port(
    "eval_dataset", "dataset", optional=True, help="Rows to evaluate on, once per epoch unless set otherwise."
)
ADAPTER: Final = Port("adapter", "adapter", optional=True, help="A LoRA adapter to train in place of all weights.")
TRAINED: Final = Port("model", "model", help="The trained policy, with any adapter merged into it.")

WITHHELD: Final[Mapping[str, str]] = {
    "output_dir": "is chosen by the run: use --output-dir.",
    "hub_token": "is a secret, and secrets are not stored in a flow; log in with `hf auth login`.",
    "push_to_hub_token": "is a secret, and secrets are not stored in a flow; log in with `hf auth login`.",
    "trust_remote_code": "is set on Load Model, for all stages of that model.",
    "disable_tqdm": "is decided by the display of the run.",
    "resume_from_checkpoint": "is decided by the run.",
}
FREQUENT: Final = (
    "num_train_epochs",
    "max_steps",
    "gradient_accumulation_steps",
    "global_batch_size",
    "max_length",
    "lr_scheduler_type",
    "warmup_steps",
    "bf16",
    "early_stopping",
    "eval_steps",
)
WITH_LORA: Final = 10
"""How much higher the learning rate is with LoRA than with full fine-tuning; the help of each rate says so."""

LONGER: Final = whole(
    EXTRA_STEPS,
    0,
    "Optimizer steps to continue after the training above has ended, from its last checkpoint: weights, optimizer and "
    "data order continue, and the learning rate follows a schedule over the full length. A finished stage that differs "
    "in nothing else is continued.",
    at_least=0,
)


class Trainer(LLMNode):
    """Base of the training methods.

    Its parameters are the essential ones, declared here with the defaults and ranges of this project, and every other
    field of TRL's configuration class as the installed version declares it.
    """

    icon, accent = "trainer", "trainer"
    is_stage = True
    leaves = "model"
    sequences = ("row",)
    config: ClassVar[ConfigClass]
    trainer: ClassVar[str] = ""
    imports: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[tuple[str, ...], ...]] = ()
    head: ClassVar[Head] = "log_probs"
    """What its forward pass computes of the last hidden states."""
    best: ClassVar[str] = "eval_loss"
    """The metric of an evaluation by which the best checkpoint is told."""
    resumes_on_any: ClassVar[bool] = False
    """Whether, with a global batch, it can resume on another number of processes: it draws nothing while it trains, and
    a loss of its does not depend on how an optimizer step is cut into batches."""
    quantizes: ClassVar[bool] = True
    """Whether its trainer loads a model in fewer bits."""
    loading: ClassVar[Mapping[str, JSON]] = {}
    """The arguments of ``from_pretrained`` that its trainer sets otherwise than others, and their usual values."""
    withheld: ClassVar[Mapping[str, str]] = WITHHELD
    frequent = FREQUENT
    out_ports = (TRAINED,)

    @classmethod
    @lru_cache
    def all_parameters(cls) -> Mapping[str, Parameter]:
        own = {parameter.name: parameter for parameter in cls.parameters}
        known = {} if cls.unavailable() else cls.config.fields
        fields = {n: field for n, field in known.items() if n not in cls.withheld and n not in own}
        early = {EARLY.name: EARLY} if EVAL in cls.in_ports else {}
        return own | {LONGER.name: LONGER, GLOBAL.name: GLOBAL} | early | fields

    @classmethod
    def unavailable(cls) -> str:
        return cls.config.missing

    # The text of the stage

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        called, *lines = cls.sharded_trainer() if context.sharded else (cls.trainer,)
        called = f"elastic({called})" if _is_elastic(context) else called
        imports = (*cls.imports, *lines)
        stage = Stage(context, str(cls.config), cls.trainer, imports, cls.settings(context), called)
        model = context.inputs["model"]
        assert isinstance(model, ModelValue)
        return stage.cell(cls.parts(context), cls.left(context, model.trained(context.name)))

    @classmethod
    def elastic(cls, context: NodeContext) -> bool:
        """Length groups are made of batches, so they depend on the processes; extra steps continue an exact end."""
        grouped = context.given.get("train_sampling_strategy") == "group_by_length"
        return cls.resumes_on_any and bool(global_batch(context)) and not (grouped or context[EXTRA_STEPS])

    @classmethod
    def sharded_trainer(cls) -> tuple[str, str]:
        """What trains weights that are spread over processes, as an expression, and the import that it needs."""
        return f"sharded({cls.trainer})", f"from {RUNTIME}.sharding import sharded"

    @classmethod
    def left(cls, context: NodeContext, model: ModelValue) -> Mapping[str, Value]:
        """What its outputs stand for, given the model that it leaves in its folder."""
        return {TRAINED.name: model}

    @classmethod
    def settings(cls, context: NodeContext) -> dict[str, JSON]:
        """The fields that the stage sets explicitly: the essential ones, and what differs from the installed defaults.

        The essential ones always, so that another version of TRL does not change the method.
        """
        fields = cls.config.fields
        essential = [parameter.name for parameter in cls.parameters if parameter.name in fields]
        values = {name: context[name] for name in essential}
        given = {name: context[name] for name in fields if name in context.given and name not in values}
        early = early_settings(context, cls.best)
        if "eval_dataset" in context.inputs and "eval_strategy" not in context.given and not early:
            given["eval_strategy"] = "epoch"
        return values | early | {name: value for name, value in given.items() if value != fields[name].default}

    @classmethod
    def parts(cls, context: NodeContext) -> Iterator[Part]:
        """What its inputs add to the text of its stage, in the order in which the trainer is called with them."""
        model = context.inputs["model"]
        assert isinstance(model, ModelValue)
        yield model_part(model, context.given.get("model_init_kwargs"), cls.loading)
        yield from cls.own_parts(context)
        yield data_part(context)
        yield from cls.adapter_parts(context)
        yield from function_part(context)
        yield from longer_part(context)
        yield from early_part(context)
        yield from timeout_part(context)
        yield from global_batch_part(context)
        if _is_elastic(context):
            yield Part(imports=(f"from {RUNTIME}.elastic import elastic",))

    @classmethod
    def own_parts(cls, context: NodeContext) -> Iterator[Part]:
        """What is specific to this method: a reward, a reference, ..."""
        yield from ()

    @classmethod
    def adapter_parts(cls, context: NodeContext) -> Iterator[Part]:
        """What a LoRA adapter adds to its text."""
        yield from adapter_part(context)

    # What it needs

    @classmethod
    def held(cls, context: NodeContext) -> Held:
        return Held(cls.copies_policy(context), head=cls.head)

    @classmethod
    def server(cls, context: NodeContext) -> Server | None:
        return vllm_server(context)

    @classmethod
    def copies_policy(cls, context: NodeContext) -> bool:
        """Whether it keeps a frozen copy of the policy as a reference, none being connected."""
        return False

    @classmethod
    def work(cls, context: NodeContext, rows: int, settings: Any) -> Work:
        return Amount(context, settings, rows).work

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[File]:
        for name, value in context.given.items():
            yield from files_named_by(value, context.root, name in FILE_FIELDS)

    @classmethod
    def rehearsed(cls, given: Mapping[str, JSON], name: str, steps: int) -> Mapping[str, JSON]:
        return {**given, **few_steps(given, steps, cls.all_parameters())}

    @classmethod
    def first_part(cls, given: Mapping[str, JSON]) -> Mapping[str, JSON] | None:
        rest = {name: value for name, value in given.items() if name != EXTRA_STEPS}
        return rest if given.get(EXTRA_STEPS) else None

    # What can be found wrong

    @classmethod
    def needs(cls, context: NodeContext) -> tuple[tuple[str, ...], ...]:
        """The groups of columns of which the dataset must have one."""
        return cls.columns

    @classmethod
    def column_complaints(cls, context: NodeContext, columns: tuple[str, ...]) -> Iterator[str]:
        """What is wrong with a dataset that has ``columns``."""
        yield from missing_columns(cls.title, cls.needs(context), columns)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint | Finding]:
        for rule in RULES:
            yield from rule(context)
        yield from _missing_files(context)
        yield from quantization_complaints(context, cls.quantizes)
        yield from _longer_complaints(context)
        yield from early_complaints(context)
        yield from global_batch_complaints(context)
        yield from vllm_complaints(context)
        yield from function_complaints(context, cls.trainer, cls.config.trainer_source)
        for port in (DATASET.name, EVAL.name):
            value = context.inputs.get(port)
            if isinstance(value, DatasetValue) and value.columns is not None:
                remedy = remedy_of_columns(port, value.columns)
                for wrong in cls.column_complaints(context, value.columns):
                    yield Finding(port, wrong, remedy=remedy)

    @classmethod
    def read(cls, context: NodeContext, seen: Seen) -> Iterator[Finding]:
        wrong = [
            Finding(port, message, remedy=remedy_of_columns(port, tuple(rows.column_names)))
            for port, rows in seen.rows.items()
            for message in cls.column_complaints(context, tuple(rows.column_names))
        ]
        yield from wrong
        if not wrong and len(seen.rows.get(DATASET.name, ())):
            yield from Fitting(context, seen).findings()

    @classmethod
    def ready(cls, context: NodeContext, seen: Seen) -> Iterator[Finding]:
        """A stage that makes no step would pass on its input model as if it had been trained."""
        if DATASET.name in seen.rows:
            amount = Amount(context, seen.settings, len(seen.rows[DATASET.name]))
            yield from amount.findings()
            work = amount.work
            yield from early_findings(context, work.evaluations, work.steps)

    @classmethod
    def _unknown(cls, name: str) -> str:
        if name in cls.withheld:
            return cls.withheld[name]
        return f"{cls.config} has no such field.{suggestion(name, list(cls.all_parameters()))}"


def _is_elastic(context: NodeContext) -> bool:
    """Whether checkpoints of any number of processes are resumed; those of weights that are spread hold parts."""
    return context.node.elastic(context) and not context.sharded


def remedy_of_columns(port: str, columns: tuple[str, ...]) -> Remedy | None:
    """What can be done to rows that have the wrong ``columns``."""
    return converting(port) if is_converted(columns) else None


def _longer_complaints(context: NodeContext) -> Iterator[Complaint]:
    if not context[EXTRA_STEPS]:
        return
    if context["save_strategy"] == "no":
        yield EXTRA_STEPS, "continues from a checkpoint, but save_strategy is 'no'; set it to steps or epoch."
    if context["save_only_model"]:
        yield EXTRA_STEPS, "needs the optimizer state, which save_only_model leaves out; clear that."


def _missing_files(context: NodeContext) -> Iterator[Complaint]:
    for name in FILE_FIELDS:
        value = context.given.get(name)
        is_there = os.path.exists if name in HUB_FIELDS else os.path.isfile
        is_place = isinstance(value, str) and (looks_local(value) or name not in HUB_FIELDS)
        if is_place and not is_there(resolve(value, context.root)):
            yield name, f"{shown(value)} does not exist (looked in {context.root}); correct the path."


# Parameters that several methods have


def batch_size(default: int, typical: str = "8 to 32") -> Parameter:
    """Rows of one forward pass."""
    help_text = "Rows (for PPO and GRPO: completions) of one forward pass on one device."
    return whole("per_device_train_batch_size", default, help_text, at_least=1, typical=typical)


def epochs(default: float, typical: str = "") -> Parameter:
    """Passes over the data."""
    return number(
        "num_train_epochs", default, "Passes over the data; max_steps, if set, overrides it.", above=0, typical=typical
    )


def learning_rate(default: float, typical: str) -> Parameter:
    """The highest learning rate."""
    return number("learning_rate", default, "Highest learning rate of AdamW.", above=0, at_most=1, typical=typical)
