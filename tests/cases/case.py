"""A case: what a user may bring, written compactly, and what is to be found in it before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flows
import further
from flows import node

from ryven_llm_nodes.catalogue import LoadDataset, LoadModel, LoRA, RewardFunction, RewardModel, SaveModel
from ryven_llm_nodes.errors import FlowError, Problem, by_weight
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run.examine.check import checked

Rows = Sequence[Mapping[str, Any]]
TRAINERS: Mapping[str, flows.Drawn] = {
    **flows.TRAINERS,
    **{name: (kind, fast) for name, (kind, _, fast) in further.KINDS.items()},
}


@dataclass(frozen=True)
class Case:
    """An input, and its finding: the ``weight`` (empty: nothing at all) of a line that contains ``phrase``.

    ``rows`` go to a trainer of ``method`` with ``settings``, on a ``model`` (models.py); ``held`` are rows to evaluate
    on. ``files`` are written as they are, and ``path`` names the data among them. ``lora``, ``reference``, ``reward``,
    ``scorer`` and ``save`` are further nodes. ``then`` is a second trainer with its rows. ``also`` lists phrases of
    other findings that are right; anything else is wrong.
    """

    name: str
    weight: str = ""
    phrase: str = ""
    rows: Rows = ()
    method: str = "sft"
    model: str = "chat"
    settings: Mapping[str, Any] = field(default_factory=dict)
    held: Rows = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    path: str = "rows.jsonl"
    lora: Mapping[str, Any] | None = None
    reference: str = ""
    reward: str = flows.REWARD
    scorer: str = ""
    save: str = ""
    then: tuple[str, Rows] | None = None
    also: tuple[str, ...] = ()
    write: Callable[[Path], object] | None = None

    def draw(self) -> flows.Project:
        """The flow."""
        nodes: dict[str, flows.Drawn] = {
            "base": node(LoadModel, path=self.model),
            "rows": node(LoadDataset, path=self.path),
            self.method: self._trainer(self.method),
        }
        wires = [f"base -> {self.method}", f"rows -> {self.method}"]
        optional = {
            "held": (self.held, node(LoadDataset, path="held.jsonl"), f"held -> {self.method}.eval_dataset"),
            "lora": (self.lora, node(LoRA, **self.lora or {}), f"lora -> {self.method}"),
            "other": (self.reference, node(LoadModel, path=self.reference), f"other -> {self.method}.{self._port}"),
            "final": (self.save, node(SaveModel, folder=self.save), f"{self.method} -> final"),
        }
        if any(port.kind == "reward" for port in TRAINERS[self.method][0].in_ports):
            kind = node(RewardModel, path=self.scorer) if self.scorer else node(RewardFunction, code=self.reward)
            optional["score"] = (True, kind, f"score -> {self.method}")
        if self.then:
            nodes["later"] = node(LoadDataset, path="later.jsonl")
            nodes["second"] = self._trainer(self.then[0])
            wires += [f"{self.method} -> second.model", "later -> second"]
        for name, (is_there, drawn, wire) in optional.items():
            if is_there:
                nodes[name] = drawn
                wires.append(wire)
        return flows.draw(", ".join(wires), "case", **nodes)

    @property
    def _port(self) -> str:
        """The port of another model."""
        models = [port.name for port in TRAINERS[self.method][0].in_ports if port.kind == "model"]
        return models[-1]

    def _trainer(self, method: str) -> flows.Drawn:
        kind, fast = TRAINERS[method]
        given = {**fast, "reward_threshold": None} if method == "grpo" else fast
        return node(kind, **{name: value for name, value in {**given, **self.settings}.items() if value != "default"})

    def found(self, root: Path) -> list[Problem]:
        """Everything that a check finds in it, in the folder ``root``, which holds the models."""
        files = dict(self.files)
        for name, rows in (("rows", self.rows), ("held", self.held), ("later", self.then[1] if self.then else ())):
            if rows:
                files[f"{name}.jsonl"] = lines(rows)
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
        if self.write:
            self.write(root)
        try:
            program: Program = flows.program(self.draw(), root)
        except FlowError as error:
            return by_weight(error.problems)
        return checked(program, root / "outputs")

    def verdict(self, problems: Sequence[Problem]) -> tuple[str, str]:
        """The weight and the line that are shown for it: the expected finding, or the first one."""
        lines = {str(problem): problem.weight for problem in problems}
        line = next((line for line in lines if self.phrase and self.phrase in line), next(iter(lines), ""))
        return lines.get(line, ""), line

    def surplus(self, problems: Sequence[Problem]) -> list[str]:
        """What was found and is not right."""
        right = [phrase for phrase in (self.phrase, *self.also) if phrase]
        return [line for line in map(str, problems) if not any(phrase in line for phrase in right)]


def lines(rows: Rows) -> str:
    """Rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


# Rows


def said(*texts: Any, system: str = "") -> list[dict[str, Any]]:
    """A conversation of user and assistant by turns."""
    turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]
    return [{"role": "system", "content": system}, *turns] if system else turns


def pairs(count: int = 12, **more: Any) -> list[dict[str, Any]]:
    """Rows of prompt and completion."""
    return [{"prompt": f"What is {i}?", "completion": f" Number {i}", **more} for i in range(count)]


def chats(count: int = 12, **more: Any) -> list[dict[str, Any]]:
    """Rows of messages."""
    return [{"messages": said(f"What is {i}?", f"A number, {i}."), **more} for i in range(count)]


def prompts(count: int = 12, **more: Any) -> list[dict[str, Any]]:
    """Rows of plain prompts."""
    return [{"prompt": f"What is {i}?", **more} for i in range(count)]


def preferences(count: int = 12, **more: Any) -> list[dict[str, Any]]:
    """Rows of prompt, chosen and rejected."""
    return [{"prompt": f"What is {i}?", "chosen": " yes", "rejected": " no no", **more} for i in range(count)]


def put(rows: Rows, at: int, **changed: Any) -> list[Mapping[str, Any]]:
    """``rows`` with another row number ``at`` (from 1)."""
    return [{**row, **changed} if number == at else row for number, row in enumerate(rows, 1)]


def each(rows: Rows, **changed: Any) -> list[Mapping[str, Any]]:
    """``rows`` with other values in each; a value of None removes the column."""
    return [{name: value for name, value in {**row, **changed}.items() if value is not None} for row in rows]
