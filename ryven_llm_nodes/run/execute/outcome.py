"""How a run ended, and what it left."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.program import Step


@dataclass
class Outcome:
    """How a run ended: ``status`` is done, failed or cancelled.

    ``models`` maps steps to the folders of the models that they wrote, ``reports`` those that wrote something else.
    """

    status: str = "done"
    models: dict[str, Path] = field(default_factory=dict)
    reports: dict[str, Path] = field(default_factory=dict)
    error: LLMNodesError | None = None
    seconds: float = 0.0

    def note(self, step: Step, folder: Path) -> None:
        """Lists what ``step`` has left in ``folder``."""
        left = self.models if step.node.leaves == "model" else self.reports
        left[step.name] = folder
