"""Tools and environments of GRPO: their ports, their part of a stage, and what they require of rows and template."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from ryven_llm_nodes.catalogue.findings import Finding, Seen
from ryven_llm_nodes.catalogue.node import NodeContext, Port
from ryven_llm_nodes.catalogue.training.stage import Part
from ryven_llm_nodes.errors import shown

TOOLS: Final = Port("tools", "tools", optional=True, help="Functions that the model may call.")
ENVIRONMENT: Final = Port(
    "environment", "environment", optional=True, help="A class whose methods the model may call, with a state."
)
KEYWORDS: Final = {TOOLS.name: "tools", ENVIRONMENT.name: "environment_factory"}
KNOWN: Final = "use a model whose template knows tools, such as those of Qwen2.5, Qwen3 or Llama 3.1"


def tool_part(context: NodeContext) -> Iterator[Part]:
    """What is connected, as arguments of the trainer."""
    found = {word: context.inputs[port].expression for port, word in KEYWORDS.items() if port in context.inputs}
    if found:
        yield Part(found)


def tool_findings(context: NodeContext, seen: Seen) -> Iterator[Finding]:
    """Why tools cannot be used with these rows, or with the chat template of the model; TRL fails with all of these."""
    places = [port for port in KEYWORDS if port in context.inputs]
    if not places:
        return
    rows = seen.rows.get("dataset")
    if rows is not None and len(rows) and not isinstance(rows[0]["prompt"], list):
        text = "tools need conversations, and the prompt is text; give it as messages, with Map Columns."
        yield Finding("dataset", text, row=1)
    if seen.tokenizer is not None and not seen.other_template:
        yield from (Finding(places[0], wrong) for wrong in _template_complaints(seen))


def _template_complaints(seen: Seen) -> Iterator[str]:
    from trl.chat_template_utils import supports_tool_calling

    if not supports_tool_calling(seen.tokenizer):
        yield f"the chat template of {shown(seen.model)} does not show tools and their results to the model; {KNOWN}."
    elif not _can_be_parsed(seen.tokenizer):
        yield (
            f"how {shown(seen.model)} writes a call is known neither to its tokenizer (response_template) nor to TRL; "
            f"{KNOWN}."
        )
    elif not _keeps_its_beginning(seen.tokenizer):
        yield (
            f"the chat template of {shown(seen.model)} changes earlier messages when later ones are added, and TRL has "
            f"no other for it; {KNOWN}."
        )


def _can_be_parsed(tokenizer: Any) -> bool:
    from trl.chat_template_utils import add_response_schema

    if any(getattr(tokenizer, name, None) is not None for name in ("response_template", "response_schema")):
        return True
    try:
        add_response_schema(deepcopy(tokenizer))
    except ValueError:
        return False
    return True


def _keeps_its_beginning(tokenizer: Any) -> bool:
    from trl.chat_template_utils import get_training_chat_template, is_chat_template_prefix_preserving

    try:
        return is_chat_template_prefix_preserving(tokenizer) or bool(get_training_chat_template(tokenizer))
    except ValueError:
        return False
