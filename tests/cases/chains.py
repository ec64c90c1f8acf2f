"""Root 9: in a chain, the second stage's data were looked at after the first had trained. And projects of two flows."""

from __future__ import annotations

from pathlib import Path

import flows
from cases.case import Case, chats, each, pairs, preferences, prompts, put, said

from ryven_llm_nodes.errors import FlowError, Problem, by_weight
from ryven_llm_nodes.program.flow import read_flow


class TwoFlows(Case):
    """The flow of the case twice in one project."""

    def draw(self) -> flows.Project:
        """The flow, and another one of the same nodes."""
        drawn = super().draw()
        (flow,) = drawn["flows"].values()
        return drawn | {"flows": {"sft": flow, "second": flow}}

    def found(self, root: Path) -> list[Problem]:
        """What reading the project says."""
        try:
            read_flow(flows.save(self.draw(), root / "flow.json"))
        except FlowError as error:
            return by_weight(error.problems)
        return []


BOTH = {"chosen": said("a", "b"), "rejected": said("a", "c")}

CASES = [
    Case(
        "73 text next to conversations in the second stage",
        "error",
        "DPO 'second' > dataset: column 'prompt' contains text",
        rows=chats(),
        then=("dpo", [{"prompt": "a", **BOTH}] * 8),
    ),
    Case(
        "73 null in the second stage",
        "error",
        "DPO 'second' > dataset: column 'rejected' has no value (null) in row 6",
        rows=chats(),
        then=("dpo", put(preferences(), 6, rejected=None)),
    ),
    Case(
        "numbers in the second stage",
        "error",
        "SFT 'second' > dataset: column 'completion' contains numbers",
        rows=chats(),
        then=("sft", [{"prompt": "a", "completion": 1}] * 8),
    ),
    Case(
        "equal pairs in the second stage",
        "warning",
        "DPO 'second' > dataset: 'chosen' and 'rejected' are equal",
        rows=chats(),
        then=("dpo", put(preferences(), 2, rejected=" yes")),
    ),
    Case(
        "the end of turns in both stages",
        "warning",
        "SFT 'sft' > eos_token: turns end with",
        rows=chats(),
        model="other-end",
        then=(
            "dpo",
            each(
                preferences(),
                prompt=said("a"),
                chosen=[{"role": "assistant", "content": "b"}],
                rejected=[{"role": "assistant", "content": "c"}],
            ),
        ),
        also=("DPO 'second' > model: turns end with",),
    ),
    Case(
        "a question as prompts of the first stage",
        "error",
        "has no value (null) in row 2",
        rows=put(prompts(), 2, prompt=None),
        method="ppo",
        then=("dpo", preferences()),
    ),
    TwoFlows(
        "81 two flows in a project", "error", "contains 2 flows ('sft', 'second'); choose one with --flow", rows=pairs()
    ),
]
