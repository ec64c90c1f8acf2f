"""A run with two branches that are evaluated and compared, which several tests look at."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import DPO, SFT, Compare, Evaluate, LoadDataset, RewardFunction
from ryven_llm_nodes.run import run_program

WIRES = (
    "base -> sft, rows -> sft, sft -> low, pairs -> low, sft -> high, pairs -> high, "
    "low -> of_low, rows -> of_low, sft -> of_low.baseline, variety -> of_low, "
    "high -> of_high, rows -> of_high, sft -> of_high.baseline, variety -> of_high, of_low -> table, of_high -> table"
)


@pytest.fixture(scope="package")
def outputs(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run: SFT, two DPO branches with other betas, their evaluations, and the table."""
    short = node(Evaluate, max_completion_length=4)
    flow = flows.draw(
        WIRES,
        title="Two betas",
        base=flows.BASE,
        rows=node(LoadDataset, path="sft.jsonl"),
        pairs=node(LoadDataset, path="pairs.jsonl"),
        variety=node(RewardFunction, code=flows.REWARD),
        sft=node(SFT, **flows.FAST),
        low=node(DPO, **{**flows.FAST, "max_steps": 6}, beta=0.05),
        high=node(DPO, **{**flows.FAST, "max_steps": 6}, beta=0.5),
        of_low=short,
        of_high=short,
        table=node(Compare),
    )
    folder = tmp_path_factory.mktemp("outputs") / "betas"
    assert run_program(flows.program(flow, workspace), folder).error is None
    return folder
