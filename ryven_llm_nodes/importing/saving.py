"""Where the trained model goes: Save Model, from the keys that transformers' training arguments have for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.importing.keys import Keys


def saved_as(keys: Keys, node: type[LLMNode]) -> dict[str, JSON]:
    """The values of Save Model: the last part of ``output_dir`` is its folder; uploads move to it."""
    made: dict[str, Any] = {}
    if folder := keys.text("output_dir"):
        made["folder"] = Path(folder).name or node.all_parameters()["folder"].default
        keys.note("output_dir", f"the model is saved as {made['folder']!r} in the output folder of the run.")
    if keys.take("push_to_hub", False):
        made["push_to_hub"] = True
        made["hub_model_id"] = keys.text("hub_model_id") or made.get("folder", "")
        made["hub_private_repo"] = bool(keys.take("hub_private_repo", False))
        keys.note("push_to_hub", "Save Model uploads the finished model; checkpoints are not uploaded.")
    return made


def per_epoch(keys: Keys, key: str, steps: str, strategy: str, epochs: Any) -> dict[str, JSON]:
    """``key`` times per epoch, as the share of all steps after which it happens."""
    count = keys.take(key)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        return {}
    if count == 0:
        return {strategy: "no"}
    share = 1 / (count * epochs) if isinstance(epochs, int | float) and epochs > 0 else 1
    return {strategy: "epoch"} if count == 1 or share >= 1 else {strategy: "steps", steps: round(share, 6)}
