"""What led to a model that was evaluated."""

from __future__ import annotations

import shutil
from pathlib import Path

from ryven_llm_nodes.run.comparing.origins import origin_of, settings_of
from ryven_llm_nodes.run.records.record import RECORDS


def test_the_stages_before_a_model_with_their_curves_and_times(outputs: Path) -> None:
    low, high = (origin_of(outputs / name) for name in ("of_low", "of_high"))
    assert low is not None
    assert high is not None
    assert [stage.name for stage in low.stages] == ["sft", "low"]
    assert low.stages[0].digest == high.stages[0].digest, "the same SFT model"
    assert [step for step, _ in low.stages[1].curves["loss"]] == [1, 2, 3, 4, 5, 6]
    assert all(stage.seconds > 0 for stage in low.stages)
    assert ("low", "beta", 0.05) in list(settings_of(low))
    assert "pairs" in low.data


def test_without_a_record_nothing_is_known(outputs: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(outputs, tmp_path / "copy", symlinks=True)
    assert origin_of(copy / "of_low") is not None
    shutil.rmtree(copy / RECORDS)
    assert origin_of(copy / "of_low") is None
