"""What the folder of a model tells without loading it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.training.choices import source

TABLE: Final = "TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING"


def default_targets(folder: Path | None) -> list[str]:
    """The modules that peft adapts in a model of this type unless told otherwise; none where that is not known."""
    kind = model_type(folder) if folder is not None else ""
    return _targets().get(kind, []) if kind else []


def model_type(folder: Path) -> str:
    """The ``model_type`` of the model in ``folder``; empty where there is none."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    kind = found.get("model_type") if isinstance(found, dict) else None
    return kind if isinstance(kind, str) else ""


def _targets() -> dict[str, list[str]]:
    """Read from peft's source, since importing it loads torch."""
    text = source("peft/utils/constants.py")
    found = re.search(rf"^{TABLE}[^=\n]*= (\{{.*?^\}})", text, re.MULTILINE | re.DOTALL)
    return ast.literal_eval(found[1]) if found else {}
