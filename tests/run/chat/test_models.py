"""Which models one can talk to."""

from __future__ import annotations

from pathlib import Path

import flows
import records

from ryven_llm_nodes.run.chat.models import ChatModel, cached_models, models_of


def test_those_that_a_flow_loads_and_has_trained(data: Path, tmp_path: Path) -> None:
    program = flows.program(flows.chain(), data)
    for name in ("sft", "dpo"):
        (tmp_path / name).mkdir()
    (tmp_path / "sft" / "config.json").write_text("{}")
    (tmp_path / "dpo" / "checkpoints").mkdir()
    assert list(models_of(program, tmp_path)) == [
        ChatModel("base", str(data / "model")),
        ChatModel("sft", str(tmp_path / "sft")),
    ]


def test_those_of_finished_stages_newest_first(tmp_path: Path) -> None:
    for name, finished in (("sft", True), ("dpo", False), ("ppo", True)):
        records.keep(tmp_path / "one", name, 1000, finished=finished)
    for kept in (tmp_path / "one").glob("*/stage.json"):
        (kept.parent / "config.json").write_text("{}")
    assert {one.title for one in cached_models(tmp_path)} <= {"one / sft", "one / ppo"}
