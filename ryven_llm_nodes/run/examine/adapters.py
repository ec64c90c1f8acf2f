"""What an adapter cannot learn, found before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ryven_llm_nodes.errors import Problem, shown
from ryven_llm_nodes.program import Step

TEMPLATE = "chat_template_path"


def adapter_problems(lineage: Sequence[Step], configs: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the adapter of the first step of ``lineage``, which goes back to Load Model.

    With the template of another model TRL adds tokens, and be it only to have a multiple of 64. It lets the adapter
    train these, at which peft fails where input and output embeddings share a weight.
    """
    step, base = lineage[0], lineage[-1]
    given = step.given.get(TEMPLATE)
    is_file = isinstance(given, str) and given.endswith((".jinja", ".j2"))
    is_tied = base.name in configs and configs[base.name].get_text_config().tie_word_embeddings
    if given and not is_file and is_tied and "adapter" in step.wires:
        yield step.problem(
            f"takes a template with its tokens from {shown(given)}, and LoRA cannot train new tokens where the "
            f"embeddings are tied, as in {shown(base.given['path'])}. Give the template alone, as a .jinja file, or "
            "unwire the adapter.",
            TEMPLATE,
        )
