"""Flows of tests, tersely: a node a keyword, wires as text, and ports found by their kind.

>>> draw("base -> sft, rows -> sft", base=node(LoadModel, path="model"), rows=node(...), sft=node(SFT, max_steps=2))
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ryven_llm_nodes.catalogue import (
    DPO,
    GRPO,
    PPO,
    SFT,
    LLMNode,
    LoadDataset,
    LoadModel,
    LoRA,
    RewardFunction,
    SaveModel,
)
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import Graph, Program, build
from ryven_llm_nodes.program.carried import OPENING
from ryven_llm_nodes.program.launch.settings import KEY, Launch
from ryven_llm_nodes.program.project import Placement, graph_of_project, project, write_project

Project = dict[str, Any]
Drawn = tuple[type[LLMNode], Mapping[str, Any]]

QUESTIONS = [f"what is {number}" for number in range(16)]
FAST: Mapping[str, Any] = {
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "gradient_checkpointing": False,
    "learning_rate": 1e-3,
    "warmup_steps": 0,
    "logging_steps": 1,
    "save_strategy": "no",
}
ROLLOUT: Mapping[str, Any] = {**FAST, "max_completion_length": 8}
"""Two steps on four rows: enough for weights to move."""

REWARD = '''def variety(completions, **kwargs):
    """The share of characters that differ."""
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    return [len(set(text)) / max(len(text), 1) for text in texts]
'''


# Drawing


def node(kind: type[LLMNode], **params: Any) -> Drawn:
    """A node and the parameters that were set."""
    return kind, params


def draw(wires: str = "", title: str = "flow", **nodes: Drawn) -> Project:
    """A Ryven project. ``wires`` are separated by commas: ``"base -> sft, sft -> dpo.reference"``.

    Where no port is named, a wire goes out of a node's first output, and into the first free input of its kind.
    """
    placed = [Placement(name, kind, params, i, 0) for i, (name, (kind, params)) in enumerate(nodes.items())]
    taken: set[str] = set()
    full = [_full_wire(wire, nodes, taken) for wire in wires.split(",") if wire.strip()]
    return project(title, placed, full)


def _full_wire(wire: str, nodes: Mapping[str, Drawn], taken: set[str]) -> str:
    source, target = (end.strip() for end in wire.split("->"))
    source, _, port = source.partition(".")
    out = next(out for out in nodes[source][0].out_ports if port in ("", out.name))
    if "." not in target:
        ports = (f"{target}.{port.name}" for port in nodes[target][0].in_ports if port.kind == out.kind)
        target = next(port for port in ports if port not in taken)
    taken.add(target)
    return f"{source}.{out.name} -> {target}"


def launched(drawn: Project, **launch: Any) -> Project:
    """The same project with launch settings of its flow."""
    flows = {title: flow | {KEY: launch} for title, flow in drawn["flows"].items()}
    return drawn | {"flows": flows}


def graph(drawn: Project, root: Path, source: str = "flow.json") -> Graph:
    """The graph of a drawn project in the folder ``root``."""
    return graph_of_project(drawn, root, source)


def program(drawn: Project, root: Path, processes: int = 1, launch: Launch | None = None) -> Program:
    """The checked program of a drawn project."""
    read = graph(drawn, root)
    return build(replace(read, launch=launch or read.launch.on(processes)))


def script(drawn: Project, root: Path) -> str:
    """The text of a drawn project's script."""
    return program(drawn, root).script.text


def settings(drawn: Project, root: Path, stage: str) -> dict[str, Any]:
    """The fields that the configuration of ``stage`` spells out in the script, and their values."""
    tree = ast.parse(program(drawn, root).cells[stage].definition)
    (made,) = (node.value for node in tree.body[0].body if isinstance(node, ast.Assign))
    fields = {keyword.arg: keyword.value for keyword in made.keywords}
    return {name: ast.literal_eval(value) for name, value in fields.items()}


def problems(drawn: Project, root: Path) -> list[str]:
    """Everything that the check says about a drawn project, a line a problem."""
    try:
        build(graph(drawn, root))
    except FlowError as error:
        return [str(problem) for problem in error.problems]
    return []


def dataset(drawn: Project, root: Path, step: str, port: str = "dataset") -> Any:
    """The dataset that a step of a drawn project gives, made by the text of its script."""
    from ryven_llm_nodes.run.loaded import LoadedProgram

    made = program(drawn, root)
    with LoadedProgram(made, root / "out") as loaded:
        for before in made.steps:
            loaded.run(before.name)
        value = made.cells[step].values[port]
        found = loaded.evaluated(value.expression)
    assert value.columns is None or set(value.columns) == set(found.column_names)
    return found


def save(drawn: Project, path: Path) -> Path:
    """Writes a drawn project to ``path``."""
    write_project(drawn, path)
    return path


# Flows that several tests use

BASE = node(LoadModel, path="model")
ROWS = {
    "sft": node(LoadDataset, path="sft.jsonl"),
    "ppo": node(LoadDataset, path="prompts.jsonl"),
    "dpo": node(LoadDataset, path="pairs.jsonl"),
    "grpo": node(LoadDataset, path="chats.jsonl"),
}
TRAINERS = {
    "sft": node(SFT, **FAST),
    "ppo": node(PPO, **ROLLOUT),
    "dpo": node(DPO, **FAST),
    "grpo": node(GRPO, **ROLLOUT, num_generations=4, reward_threshold=0.5),
}
METHODS = tuple(TRAINERS)
CONFIGS = {kind.config.name: kind.config for kind, _ in TRAINERS.values()}
"""The configuration classes by name."""


def alone(method: str, lora: bool = False, **params: Any) -> Project:
    """One trainer and what it needs; the trainer is called after its method, and its model is saved by ``final``."""
    kind, fast = TRAINERS[method]
    nodes = {"base": BASE, "rows": ROWS[method], method: node(kind, **{**fast, **params})}
    wires = f"base -> {method}, rows -> {method}"
    if method in ("ppo", "grpo"):
        nodes["variety"] = node(RewardFunction, code=REWARD)
        wires += f", variety -> {method}"
    if lora:
        nodes["lora"] = node(LoRA, r=4)
        wires += f", lora -> {method}"
    return draw(f"{wires}, {method} -> final", method, **nodes, final=node(SaveModel))


def chain(lora: bool = False) -> Project:
    """SFT -> PPO -> DPO -> GRPO, where DPO also reads the SFT model as its reference: the branch."""
    nodes: dict[str, Drawn] = {"base": BASE}
    wires = ["base -> sft", "sft -> ppo", "ppo -> dpo", "sft -> dpo.reference", "dpo -> grpo", "grpo -> final"]
    for method in METHODS:
        nodes |= {f"{method}_rows": ROWS[method], method: TRAINERS[method]}
        wires.append(f"{method}_rows -> {method}")
    nodes |= {"variety": node(RewardFunction, code=REWARD), "final": node(SaveModel)}
    wires += ["variety -> ppo", "variety -> grpo"]
    if lora:
        nodes["lora"] = node(LoRA, r=4)
        wires += [f"lora -> {method}" for method in METHODS]
    return draw(", ".join(wires), "chain", **nodes)


# Data and models


def write_data(folder: Path) -> None:
    """sft, text, prompts, chats (prompts as conversations), messages, pairs: each a .jsonl of 16 rows."""
    rows: dict[str, Iterable[Mapping[str, Any]]] = {
        "sft": ({"prompt": q, "completion": f" answer {i}"} for i, q in enumerate(QUESTIONS)),
        "text": ({"text": f"{q} answer {i}"} for i, q in enumerate(QUESTIONS)),
        "prompts": ({"prompt": q} for q in QUESTIONS),
        "chats": ({"prompt": [_said("user", q)]} for q in QUESTIONS),
        "messages": ({"messages": [_said("user", q), _said("assistant", f"answer {q}")]} for q in QUESTIONS),
        "pairs": ({"prompt": q, "chosen": " yes", "rejected": " no no"} for q in QUESTIONS),
    }
    for name, lines in rows.items():
        text = "".join(json.dumps(row) + "\n" for row in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def write_hollow_model(folder: Path) -> None:
    """A folder with the files of a saved model, all empty: enough for a check."""
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}", encoding="utf-8")


def write_model(folder: Path, seed: int = 0) -> None:
    """A Llama of two layers and 32 dimensions with random weights, and its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 256}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    tokens = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None, "vocab_size": len(tokenizer)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        LlamaForCausalLM(LlamaConfig(**sizes, **heads, **tokens)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


CHAT_TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def make_tokenizer() -> Any:
    """A byte-level BPE of about 300 tokens with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = bytes_, decoders.ByteLevel()
    special = ["<pad>", "<eos>", "<user>", "<assistant>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=bytes_.alphabet(), show_progress=False
    )
    bpe.train_from_iterator([f"{q} answer yes no" for q in QUESTIONS], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<pad>", eos_token="<eos>", chat_template=CHAT_TEMPLATE
    )


# Scripts on file


def without_flow(text: str) -> str:
    """A script without the flow that it carries in a comment at its end."""
    return text.rpartition(OPENING)[0].rstrip("\n") + "\n"


def neutral(text: str) -> str:
    """A script without the versions that it was written with, and without its flow, whose compression may differ."""
    text = without_flow(text)
    text = re.sub(r"(?m)^with Python .*\.$", "with Python.", text)
    return re.sub(r"(?m)^Written by ryven-llm-nodes \S+ ", "Written by ryven-llm-nodes ", text)
