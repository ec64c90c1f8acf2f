"""Answers: rows that a model writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ryven_llm_nodes.catalogue.cell import Cell, call, literal, report_cell
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import whole
from ryven_llm_nodes.catalogue.values import DatasetValue


class Answers(LLMNode):
    """Lets a model answer prompts, and gives prompts and answers as rows to train on."""

    title = "Answers"
    stem = "answers"
    accent = "dataset"
    is_stage = True
    leaves = "report"
    tags = ["generate", "sample", "distil", "rows"]
    in_ports = (Port("model", "model"), Port("dataset", "dataset"))
    out_ports = (Port("dataset", "dataset"),)
    parameters = (whole("tokens", 8, "Tokens of an answer at most.", at_least=1),)

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        name, tokens = context.name, literal(context["tokens"])
        model, rows = (context.inputs[port].expression for port in ("model", "dataset"))
        cell = report_cell(name, answered, model=model, rows=rows, tokens=tokens)
        loaded = call("load_dataset", '"json"', data_files=f'f"{{{name}}}/report.json"', split='"train"')
        value = DatasetValue(expression=loaded, columns=("prompt", "completion"))
        imports = (*cell.imports, "from datasets import load_dataset")
        return replace(cell, imports=imports, values={"dataset": value})


def answered(model: str, rows: Any, tokens: int) -> list[dict[str, str]]:
    """The prompts of the rows, and what the model in a folder says most probably."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype="float32").eval()
    answers = []
    for prompt in rows["prompt"]:
        asked = tokenizer(prompt, return_tensors="pt")
        said = network.generate(**asked, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
        answers.append({"prompt": prompt, "completion": tokenizer.decode(said[0][asked["input_ids"].shape[1] :])})
    return answers
