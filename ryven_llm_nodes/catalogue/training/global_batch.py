"""The rows of an optimizer step as one number, whatever the number of processes: what it sets, and what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import whole
from ryven_llm_nodes.catalogue.training.limits import MANY
from ryven_llm_nodes.catalogue.training.stage import Part

EACH: Final = "per_device_train_batch_size"
ACCUMULATION: Final = "gradient_accumulation_steps"
GLOBAL: Final = whole(
    "global_batch_size",
    None,
    "Rows (for PPO and GRPO: completions) of an optimizer step on all processes together. gradient_accumulation_steps "
    "follows from it and from the number of processes, so that one GPU and eight learn the same. Empty: every process "
    "adds its own batch.",
    at_least=1,
    at_most=MANY,
    typical="16 to 512",
    empty="what the processes add up to",
)


def global_batch(context: NodeContext) -> int | None:
    """The rows of an optimizer step, where they are fixed."""
    return context[GLOBAL.name] if context.has(GLOBAL.name) else None


def global_batch_part(context: NodeContext) -> Iterator[Part]:
    """What computes the accumulation when the configuration is made."""
    if rows := global_batch(context):
        imports = (f"from {RUNTIME}.batches import with_global_batch",)
        yield Part(imports=imports, through=("with_global_batch", literal(rows)))


def global_batch_complaints(context: NodeContext) -> Iterator[Complaint]:
    """What contradicts it, and processes that cannot share it equally."""
    rows = global_batch(context)
    if not rows:
        return
    if ACCUMULATION in context.given:
        yield ACCUMULATION, f"follows from {GLOBAL.name} {rows}; clear one of the two."
    if context["auto_find_batch_size"]:
        yield "auto_find_batch_size", f"changes the rows that {GLOBAL.name} fixes; clear one of the two."
    if context.given.get("steps_per_generation"):
        instead = "set generation_batch_size, which counts those of all processes"
        yield "steps_per_generation", f"counts batches of each process, and {GLOBAL.name} is set; {instead}."
    if rows % (context[EACH] * context.processes):
        yield GLOBAL.name, _indivisible(rows, context[EACH], context.processes)


def _indivisible(rows: int, each: int, processes: int) -> str:
    """What is wrong with ``rows`` for processes that take ``each`` at once, and the numbers that would do."""
    at_once = each * processes
    factors = f"{EACH} {each}" + (f" x {processes} processes" if processes > 1 else "")
    below = rows // at_once * at_once
    batches = f"{below} or {below + at_once}" if below else f"{at_once}"
    text = f"must be a multiple of the {at_once} rows that are taken at once ({factors}), got {rows}. Use {batches}"
    if rows % each == 0 and processes > 1:
        counts = [count for count in range(1, processes + 1) if rows // each % count == 0]
        text += f", or {_either(counts)} processes"
    elif fitting := [size for size in range(1, each) if rows % (size * processes) == 0]:
        text += f", or {EACH} {fitting[-1]}"
    return f"{text}."


def _either(numbers: list[int]) -> str:
    *some, last = map(str, numbers)
    return f"{', '.join(some)} or {last}" if some else last
