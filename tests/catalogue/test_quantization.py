"""Models in 4 or 8 bits: what can be trained on them, what they need, and their text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import CPO, LoadModel, LoRA
from ryven_llm_nodes.run.examine import here


def drawn(method: str, lora: bool, **params: Any) -> flows.Project:
    nodes = {
        "base": node(LoadModel, path="model", **params),
        "rows": flows.ROWS[method],
        method: flows.TRAINERS[method],
    }
    wires = f"base -> {method}, rows -> {method}"
    return flows.draw(
        f"{wires}, lora -> {method}" if lora else wires, **nodes, **({"lora": node(LoRA)} if lora else {})
    )


def test_a_quantized_model_is_trained_by_an_adapter_only(data: Path) -> None:
    assert flows.problems(drawn("sft", False, quantization="4-bit"), data) == [
        "SFT 'sft' > model: is loaded in 4-bit (quantization of its Load Model), and such weights cannot be trained; "
        "connect a LoRA adapter, or set quantization to none."
    ]
    assert flows.problems(drawn("sft", True, quantization="4-bit"), data) == []
    assert flows.problems(drawn("sft", False), data) == []


def test_a_trainer_that_cannot_load_one_says_so(data: Path) -> None:
    base = node(LoadModel, path="model", quantization="8-bit")
    nodes = {"base": base, "rows": flows.ROWS["dpo"], "cpo": node(CPO), "lora": node(LoRA)}
    (wrong,) = flows.problems(flows.draw("base -> cpo, rows -> cpo, lora -> cpo", **nodes), data)
    assert wrong == (
        "CPO / SimPO 'cpo' > model: is loaded in 8-bit (quantization of its Load Model), which CPO / SimPO does not "
        "support; set quantization to none."
    )


def test_a_stage_after_another_loads_its_model_in_few_bits_too(data: Path) -> None:
    chain = flows.draw(
        "base -> sft, rows -> sft, lora -> sft, sft -> dpo, pairs -> dpo, lora -> dpo",
        base=node(LoadModel, path="model", quantization="8-bit"),
        rows=flows.ROWS["sft"],
        sft=flows.TRAINERS["sft"],
        lora=node(LoRA),
        pairs=flows.ROWS["dpo"],
        dpo=flows.TRAINERS["dpo"],
    )
    text = flows.script(chain, data)
    assert text.count("quantization_config=BitsAndBytesConfig(load_in_8bit=True)") == 2
    assert "from transformers import BitsAndBytesConfig" in text or "    BitsAndBytesConfig," in text


@pytest.mark.parametrize(("quantization", "count"), [("4-bit", 1), ("8-bit", 1), ("none", 0)])
def test_the_package_is_needed(quantization: str, count: int, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "is_installed", lambda module: module != "bitsandbytes")
    found = list(here.here_problems(flows.program(drawn("sft", True, quantization=quantization), data)))
    assert [str(one) for one in found] == count * [
        "Load Model 'base': needs the package bitsandbytes, which is not installed here; "
        "pip install 'ryven-llm-nodes[quantization]'."
    ]
