"""Which file is what, and files that are none of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ryven_llm_nodes.errors import FlowError, UsageError
from ryven_llm_nodes.importing.files import imported

BILLION = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no keys"),
        ("- 1\n- 2\n", "holds no keys"),
        ("just text", "holds no keys"),
        ("a: [", "is not YAML"),
        ("a: !!python/object/apply:os.system ['touch ran']\n", "is not YAML"),
        ("learning_rate: 1\n", "is no configuration that is known (it has 'learning_rate')"),
        (BILLION, "holds more values"),
        ("a: " + "[" * 3000 + "]" * 3000, "is not YAML"),
        ("x: '\0'", "is not YAML"),
    ],
)
def test_no_configuration(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (file := tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FlowError) as refused:
        imported(file, tmp_path)
    (problem,) = refused.value.problems
    assert message in problem.message
    assert "\n" not in str(problem)
    assert os.listdir(tmp_path) == ["config.yaml"], "nothing was executed"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="does not exist"):
        imported(tmp_path / "none.yaml", tmp_path)
    with pytest.raises(FlowError, match="is not a file"):
        imported(tmp_path, tmp_path)
    (large := tmp_path / "large.yaml").write_bytes(b"#" * 2**21)
    with pytest.raises(FlowError, match="larger than 1 MB"):
        imported(large, tmp_path)
    (binary := tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(FlowError, match="is not YAML"):
        imported(binary, tmp_path)


def test_no_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'grpo'"):
        imported(tmp_path / "x.yaml", tmp_path, "gpro")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model_name_or_path: [1]\ndataset_name: {a: 1}\n", {"model_name_or_path", "dataset_name"}),
        ("model_name_or_path: m\ndataset_name: d\nlora_r: .nan\nuse_peft: yes\n", {"lora_r"}),
        ("model_name_or_path: m\ndatasets: 3\n", {"datasets"}),
        ("base_model: m\ndatasets: nonsense\n", {"datasets"}),
        ("base_model: m\nmicro_batch_size: many\n", {"micro_batch_size", "datasets"}),
        ("model_name_or_path: m\nstage: dpo\ndataset: 3\n", {"dataset"}),
    ],
)
def test_wrong_values_are_told(text: str, told: set[str], tmp_path: Path) -> None:
    (file := tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    found = imported(file, tmp_path)
    assert told <= {problem.parameter for problem in found.told if problem.weight == "warning"}
