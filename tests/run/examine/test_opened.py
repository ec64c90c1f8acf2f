"""A program that is opened to look at its rows: datasets and tokenizers are there, weights are not."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.errors import FlowError, LLMNodesError
from ryven_llm_nodes.run.examine.opened import opened


def test_rows_of_a_dataset_and_of_what_trains_on_it(workspace: Path) -> None:
    with opened(flows.program(flows.chain(), workspace)) as found:
        steps = found.program.graph.by_name
        assert found.dataset(steps["dpo_rows"]).column_names == ["prompt", "chosen", "rejected"]
        assert found.dataset(steps["dpo"]) is found.dataset(steps["dpo_rows"])
        assert found.trains(steps["dpo"])
        assert not found.trains(steps["dpo_rows"])
        with pytest.raises(FlowError, match="Reward Function 'variety': has no rows to look at"):
            found.dataset(steps["variety"])


def test_no_weights_are_read(work: Path) -> None:
    (work / "model" / "model.safetensors").write_bytes(b"no weights")
    with opened(flows.program(flows.alone("sft"), work)) as found:
        assert len(found.prepared(found.program.graph.by_name["sft"], [0]).sequences) == 1


def test_rows_that_cannot_be_loaded_name_their_node(work: Path) -> None:
    (work / "sft.jsonl").write_text('{"prompt": "a", "completion": "b"}\n{"prompt": \n')
    with pytest.raises(LLMNodesError, match="Load Dataset 'rows': "), opened(flows.program(flows.alone("sft"), work)):
        pass


def test_rows_that_cannot_be_prepared_name_their_trainer(work: Path) -> None:
    (work / "model" / "chat_template.jinja").write_text("{{ raise_exception('no such role') }}")
    with opened(flows.program(flows.alone("grpo"), work)) as found:
        step = found.program.graph.by_name["grpo"]
        with pytest.raises(FlowError, match=r"GRPO 'grpo' > dataset: cannot prepare its rows: .*no such role"):
            found.prepared(step, [0])
