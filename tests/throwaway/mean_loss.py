"""Mean Loss: how well a model tells what is in a dataset."""

from __future__ import annotations

import math
from typing import Any

from ryven_llm_nodes.catalogue.cell import Cell, literal, report_cell
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import whole


class MeanLoss(LLMNode):
    """Measures the mean loss of a model on rows with ``prompt`` and ``completion``, and writes it into a report."""

    title = "Mean Loss"
    stem = "mean_loss"
    accent = "output"
    is_stage = True
    leaves = "report"
    tags = ["evaluate", "loss", "perplexity", "report"]
    in_ports = (Port("model", "model"), Port("dataset", "dataset"))
    parameters = (whole("limit", 100, "Rows that are measured at most.", at_least=1),)

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        model, rows = (context.inputs[port].expression for port in ("model", "dataset"))
        return report_cell(context.name, measured, model=model, rows=rows, limit=literal(context["limit"]))


def measured(model: str, rows: Any, limit: int) -> dict[str, float]:
    """The mean loss of the model in a folder on the first rows, and its perplexity."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype="float32").eval()
    losses = []
    for row in rows.select(range(min(limit, len(rows)))):
        tokens = tokenizer(row["prompt"] + row["completion"], return_tensors="pt")["input_ids"]
        with torch.no_grad():
            losses.append(network(tokens, labels=tokens).loss.item())
    loss = sum(losses) / len(losses)
    return {"rows": len(losses), "mean_loss": loss, "perplexity": math.exp(loss)}
