"""What a stage will do, as far as its memory depends on it: its models, its longest batch, its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ryven_llm_nodes.catalogue.findings import Pretrained
from ryven_llm_nodes.catalogue.held import Held
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.configs import configuration
from ryven_llm_nodes.run.examine.opened import Opened
from ryven_llm_nodes.run.examine.prepared import PreparedRows
from ryven_llm_nodes.run.examine.preview import sample_of
from ryven_llm_nodes.run.loaded import LoadedProgram

Configs = Callable[[Pretrained], Any]
"""The configuration of a model that a node loads."""


@dataclass(frozen=True)
class Frozen:
    """A model that is only evaluated, under the name of what it is for; ``scores`` if it is a classifier."""

    name: str
    config: Any
    dtype: str
    scores: bool = False


@dataclass(frozen=True)
class Batch:
    """The tokens of each sequence of the longest batch, as training reads them (of prompts, where it samples)."""

    lengths: tuple[int, ...]
    samples: bool


@dataclass(frozen=True)
class Workload:
    """A stage: the configuration of its policy, and all that its memory depends on."""

    policy: Any
    dtype: str
    held: Held
    settings: Any
    adapter: Any
    frozen: tuple[Frozen, ...]
    batch: Batch
    critic: Any = None
    attention: str | None = None
    bits: int | None = None
    """Of the weights that are quantized; None if none are."""


def workload(program: Program, loaded: LoadedProgram, step: Step, batch: Batch, config_of: Configs) -> Workload | None:
    """The workload of the trainer ``step``; None if it does not say what it holds."""
    held = step.node.held(program.context(step))
    if held is None:
        return None
    policy = config_of(origin(program, step, "model"))
    adapters = [loaded.input(step, port) for port in step.wired("adapter")]
    frozen = tuple(_frozen(program, step, held, policy, config_of))
    critic = policy if held.critic == "copy" else _critic(program, held, config_of)
    settings = configuration(program, loaded, step)
    adapter = adapters[0] if adapters else None
    dtype, attention = _init(program, step, "model")
    bits = program.value(step, "model").bits  # type: ignore[attr-defined]
    return Workload(policy, dtype, held, settings, adapter, frozen, batch, critic, attention, bits)


def _critic(program: Program, held: Held, config_of: Configs) -> Any:
    return config_of(Pretrained("value_model", held.critic)) if held.critic else None


def origin(program: Program, step: Step, port: str) -> Pretrained:
    """The model that the chain into ``port`` starts from: stages do not change its shape."""
    *_, base = program.graph.lineage(program.graph.by_name[step.wires[port].step])
    found = base.node.pretrained(program.context(base))
    assert found is not None
    return found


def _init(program: Program, step: Step, port: str) -> tuple[str, str | None]:
    """The type of the weights of a model that is connected, and its kind of attention."""
    given = program.value(step, port).init_kwargs  # type: ignore[attr-defined]
    return str(given.get("dtype", "float32")), given.get("attn_implementation")


def _frozen(program: Program, step: Step, held: Held, policy: Any, config_of: Configs) -> Iterator[Frozen]:
    if held.reference:
        yield Frozen("reference", policy, _init(program, step, "model")[0])
    for port in step.wired("model"):
        if port != "model":
            yield Frozen(port, config_of(origin(program, step, port)), _init(program, step, port)[0])
    for part in program.rewards(step):
        yield from _reward_models(program, program.graph.by_name[part.owner], config_of)


def _reward_models(program: Program, owner: Step, config_of: Configs) -> Iterator[Frozen]:
    """The classifier that ``owner`` loads, or has trained."""
    model = owner.node.pretrained(program.context(owner))
    if model is not None:
        yield Frozen("reward model", config_of(model), str(owner.setting("dtype")), True)
    elif owner.node.is_stage:
        yield Frozen("reward model", config_of(origin(program, owner, "model")), "float32", True)


# The longest batch


def longest_batch(there: Opened, step: Step) -> Batch:
    """The sequences of the longest batch of ``step``, of a sample of its rows. Raises FlowError."""
    settings = configuration(there.program, there.loaded, step)
    found = there.prepared(step, sample_of(len(there.dataset(step))))
    return batch_of(found, settings, samples=not step.node.sequences)


def batch_of(found: PreparedRows, settings: Any, samples: bool) -> Batch:
    """The longest batch of rows that were prepared."""
    count = settings.per_device_train_batch_size
    rows = _rows_by_length(found)
    if samples:
        count = -(-count // getattr(settings, "num_generations", 1))
    lengths = [length for row in rows[:count] for length in row]
    return Batch(tuple(lengths), samples)


def _rows_by_length(found: PreparedRows) -> list[list[int]]:
    """The lengths of the sequences of each row, of which nothing was dropped; the longest row first."""
    rows: dict[int, list[int]] = {}
    for number, sequence in enumerate(found.sequences):
        if (left := len(sequence.ids) - sequence.cut) > 0:
            rows.setdefault(number if sequence.row is None else sequence.row, []).append(left)
    return sorted(rows.values(), key=max, reverse=True)


def longest_rows(there: Opened, step: Step) -> Any:
    """The rows of the longest batches of ``step``, as many as one optimizer step takes."""
    rows, settings = there.dataset(step), configuration(there.program, there.loaded, step)
    indices = sample_of(len(rows))
    found = there.prepared(step, indices)
    longest: dict[int, int] = dict.fromkeys(indices, 0)
    for sequence in found.sequences:
        if sequence.row is not None:
            longest[sequence.row] = max(longest[sequence.row], len(sequence.ids) - sequence.cut)
    count = settings.per_device_train_batch_size * settings.gradient_accumulation_steps
    ordered = sorted(indices, key=lambda row: longest[row], reverse=True)
    return rows.select(_repeated(ordered, count))


def _repeated(ordered: Sequence[int], count: int) -> list[int]:
    """The first ``count``; the longest ones again where there are too few."""
    return [ordered[i % min(len(ordered), count)] for i in range(count)]


def loaded_config(model: Pretrained, root: Path) -> Any:
    """The configuration of a model. Raises what the library raises where there is none."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(model.place(root), **model.options)
