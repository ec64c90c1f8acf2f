"""LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flows import alone, draw, node, problems, program, script

from ryven_llm_nodes.catalogue import LoRA


def config(**params: Any) -> Any:
    """The LoraConfig that the cell of a LoRA node makes."""
    from peft import LoraConfig

    cell = program(draw(lora=node(LoRA, **params)), Path()).cells["lora"]
    namespace = {"LoraConfig": LoraConfig}
    exec(cell.definition, namespace)
    return eval(cell.values["adapter"].expression, namespace)  # noqa: S307


def test_the_configuration() -> None:
    made = config(r=4, lora_alpha=8, lora_dropout=0.1)
    assert (made.r, made.lora_alpha, made.lora_dropout, made.target_modules) == (4, 8, 0.1, "all-linear")
    assert made.task_type == "CAUSAL_LM"


@pytest.mark.parametrize(
    ("given", "modules"),
    [
        ("q_proj, v_proj", {"q_proj", "v_proj"}),
        ("q_proj,", {"q_proj"}),
        (["q_proj", "k_proj"], {"q_proj", "k_proj"}),
        (r".*\.q_proj", r".*\.q_proj"),
    ],
)
def test_modules(given: Any, modules: Any) -> None:
    assert config(target_modules=given).target_modules == modules


@pytest.mark.parametrize("given", ["", " ", ",", [], [""], [1], ["a", None], None, 3, {"a": 1}])
def test_no_modules(given: Any) -> None:
    (wrong,) = problems(draw(lora=node(LoRA, target_modules=given)), Path())
    assert wrong.startswith("LoRA 'lora' > target_modules: ")


@pytest.mark.parametrize("params", [{"r": 0}, {"lora_alpha": 0}, {"lora_dropout": 1}, {"lora_dropout": -0.1}])
def test_ranges(params: dict[str, Any]) -> None:
    assert len(problems(draw(lora=node(LoRA, **params)), Path())) == 1


def test_each_trainer_makes_a_fresh_one(data: Path) -> None:
    text = script(alone("dpo", lora=True), data)
    assert "peft_config=lora()" in text
    assert "peft_config=lora()" in text


@pytest.mark.parametrize("given", ["lm_head", "q_proj, lm_head", ["lm_head"], ["q_proj", "embed_out"]])
def test_the_head_cannot_be_adapted(given: Any) -> None:
    (wrong,) = problems(draw(lora=node(LoRA, target_modules=given)), Path())
    assert wrong.startswith("LoRA 'lora' > target_modules: must not contain ")
    assert wrong.endswith("would not be trained. Remove it; embed_tokens may be adapted.")
