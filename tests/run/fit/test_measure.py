"""The measured memory of a stage, next to its estimate."""

from __future__ import annotations

import shutil
from pathlib import Path

import flows
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ryven_llm_nodes.catalogue import LoadModel, LoRA
from ryven_llm_nodes.run.examine.opened import opened
from ryven_llm_nodes.run.fit.estimate import estimates
from ryven_llm_nodes.run.fit.measure import answer, measured
from ryven_llm_nodes.run.fit.workload import loaded_config

WITHIN = 0.2
"""How far an estimate may be from what is measured."""


def test_two_real_steps_take_about_what_was_estimated(workspace: Path, tmp_path: Path) -> None:
    """A model of 14 million parameters, as the second stage of a chain, with an adapter."""
    shutil.copytree(workspace, tmp_path / "work")
    sizes = {"hidden_size": 320, "intermediate_size": 1280, "num_hidden_layers": 6, "num_attention_heads": 8}
    LlamaForCausalLM(LlamaConfig(vocab_size=8000, pad_token_id=0, eos_token_id=1, **sizes)).save_pretrained(
        tmp_path / "work" / "model"
    )
    drawn = flows.draw(
        "base -> sft, rows -> sft, sft -> dpo, pairs -> dpo, lora -> dpo",
        base=flows.node(LoadModel, path="model"),
        rows=flows.ROWS["sft"],
        sft=flows.TRAINERS["sft"],
        pairs=flows.ROWS["dpo"],
        dpo=flows.TRAINERS["dpo"],
        lora=flows.node(LoRA),
    )
    program = flows.program(drawn, tmp_path / "work")
    with opened(program) as there:
        made = list(estimates(there, lambda model: loaded_config(model, tmp_path / "work")))
    step, expected = made[-1]
    assert step.name == "dpo"
    assert expected.peak == pytest.approx(measured(program.graph, step), rel=WITHIN)
    assert not (tmp_path / "work" / "outputs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="memory is measured on the GPU then")
def test_a_stage_that_fails_says_why(work: Path) -> None:
    from ryven_llm_nodes.program.project import project_of

    graph = flows.graph(flows.alone("sft"), work).upstream(["sft"])
    asked = {"project": project_of(graph, work), "root": str(work), "step": "sft"}
    (work / "model" / "model.safetensors").write_bytes(b"none")
    assert "header" in answer(asked)["problem"].lower()
