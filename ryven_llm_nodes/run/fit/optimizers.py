"""The memory of the state of an optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TWO_MOMENTS: Final = 2.0
COPIES: Final[Mapping[str, float]] = {
    "sgd": 0.0,
    "adagrad": 1.0,
    "rmsprop": 1.0,
    "adafactor": 0.01,
    "galore_adafactor": 0.01,
    "galore_adafactor_layerwise": 0.01,
    "lion_32bit": 1.0,
    "paged_lion_32bit": 1.0,
    "lion_8bit": 0.25,
    "paged_lion_8bit": 0.25,
    "rmsprop_bnb": 1.0,
    "rmsprop_bnb_32bit": 1.0,
    "rmsprop_bnb_8bit": 0.25,
    "adamw_bnb_8bit": 0.5,
    "adamw_8bit": 0.5,
    "paged_adamw_8bit": 0.5,
    "adamw_torch_8bit": 0.5,
    "adamw_torch_4bit": 0.25,
    "ademamix": 3.0,
    "paged_ademamix_32bit": 3.0,
    "ademamix_8bit": 0.75,
    "paged_ademamix_8bit": 0.75,
    "lomo": 0.0,
    "adalomo": 0.01,
    "schedule_free_sgd": 1.0,
    "apollo_adamw": 0.1,
    "apollo_adamw_layerwise": 0.1,
    "galore_adamw": 0.5,
    "galore_adamw_layerwise": 0.5,
    "galore_adamw_8bit": 0.12,
    "galore_adamw_8bit_layerwise": 0.12,
}
"""How large the state is, compared with float32 weights that are trained. Low-rank ones depend on the rank: about."""


def state_bytes(settings: Any, trained: int) -> int:
    """The bytes of the state that ``settings.optim`` keeps for ``trained`` bytes of weights."""
    name = str(getattr(settings.optim, "value", settings.optim))
    return round(COPIES.get(name, TWO_MOMENTS) * trained)
