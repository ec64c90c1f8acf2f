"""Tries what can go wrong late before anything is trained: models, settings, data, chat templates, rewards."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

from ryven_llm_nodes.catalogue import LoadDataset, LoadModel, RewardModel, SaveModel
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.catalogue.train import DATA_PORTS, Trainer
from ryven_llm_nodes.errors import FlowError, Problem, shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.events import Warned
from ryven_llm_nodes.run.examine.adapters import adapter_problems
from ryven_llm_nodes.run.examine.amount import Amount
from ryven_llm_nodes.run.examine.broken_data import wrong_bytes
from ryven_llm_nodes.run.examine.configs import config_problems, configuration
from ryven_llm_nodes.run.examine.fitting import Fitting
from ryven_llm_nodes.run.examine.here import here_problems
from ryven_llm_nodes.run.execute.failures import describe
from ryven_llm_nodes.run.library_warnings import about
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.models import reward_model_problems, wrong_head
from ryven_llm_nodes.run.rewards.tryout import reward_problems
from ryven_llm_nodes.run.store.kept import FINISHED


def preflight(program: Program, loaded: LoadedProgram, cancelled: threading.Event) -> list[Warned]:
    """Raises FlowError with everything that would stop a stage of ``program`` later, Cancelled when asked to stop.

    Returns what its user should be warned of.

    The data sets have been loaded. Of models only configuration and tokenizer are, but for reward models, which score
    two rows and are given back; reward functions are called once, in a namespace apart, with two rows.
    """
    examined = _Preflight(program, loaded, cancelled)
    problems = list(dict.fromkeys(examined.problems()))
    if problems:
        raise FlowError(problems)
    return examined.warnings


class _Preflight:
    def __init__(self, program: Program, loaded: LoadedProgram, cancelled: threading.Event) -> None:
        self.program, self.loaded, self.cancelled = program, loaded, cancelled
        self.model_configs: dict[str, Any] = {}
        self.tokenizers: dict[str, Any] = {}
        self.warnings: list[Warned] = []
        self.unreadable: set[str] = set()
        self.lacking: set[tuple[str, str]] = set()

    def problems(self) -> Iterator[Problem]:
        lacking = list(here_problems(self.program))
        self.lacking = {(problem.step, problem.parameter) for problem in lacking}
        yield from lacking
        for step in self.program.steps:
            with about(step):
                yield from self._step_problems(step)
        yield from reward_model_problems(self.program, self.loaded, self.tokenizers, self.cancelled)

    def _step_problems(self, step: Step) -> Iterator[Problem]:
        if step.node is LoadDataset and (wrong := wrong_bytes(step, self.program)):
            self.unreadable.add(step.name)
            yield step.problem(wrong, "path")
        elif step.node in (LoadModel, RewardModel):
            yield from self._model_problems(step)
        elif issubclass(step.node, Trainer):
            yield from self._stage_problems(step)
        yield from self._place_problems(step)

    def _stage_problems(self, step: Step) -> Iterator[Problem]:
        wrong = list(config_problems(self.program, self.loaded, step))
        yield from (problem for problem in wrong if (problem.step, problem.parameter) not in self.lacking)
        yield from adapter_problems([*self._lineage(step)], self.model_configs)
        data = [*self._data_problems(step), *(() if wrong else self._amount_problems(step))]
        is_readable = not any(wire.step in self.unreadable for wire in step.wires.values())
        yield from data or (self._read_problems(step) if is_readable else ())

    def _context(self, step: Step) -> NodeContext:
        return NodeContext(step.node, step.name, step.given, {}, self.program.graph.root)

    def _data(self, step: Step, port: str = "dataset") -> Any:
        return self.loaded.module.__dict__[step.wires[port].step]

    def _model_problems(self, step: Step) -> Iterator[Problem]:
        """A wrong name is not to be found out after an hour."""
        from transformers import AutoConfig, AutoTokenizer

        context, root = self._context(step), self.program.graph.root
        place = str(resolve(context["path"], root)) if is_local(context["path"], root) else context["path"]
        where = {"revision": context["revision"] or None, "trust_remote_code": context["trust_remote_code"]}
        where = {name: value for name, value in where.items() if value is not None}
        try:
            config = AutoConfig.from_pretrained(place, **where)
            tokenizer = AutoTokenizer.from_pretrained(place, **where)
        except Exception as error:  # whatever it is, it is what the stage would fail with
            yield step.problem(f"{shown(place)} cannot be loaded: {describe(error)}", "path")
            return
        if step.node is RewardModel and (wrong := wrong_head(config)):
            yield step.problem(wrong, "path")
        else:
            self.model_configs[step.name], self.tokenizers[step.name] = config, tokenizer

    def _data_problems(self, step: Step) -> Iterator[Problem]:
        for port in DATA_PORTS:
            if port in step.wires:
                columns = tuple(self._data(step, port).column_names)
                for wrong in step.node.column_complaints(self._context(step), columns):  # type: ignore[attr-defined]
                    yield step.problem(wrong, port)

    def _amount_problems(self, step: Step) -> Iterator[Problem]:
        """A stage that makes no step would hand on the model that it was given, as if it had been trained."""
        amount = Amount(step, configuration(self.program, self.loaded, step), len(self._data(step)))
        self.warnings += amount.warnings()
        yield from amount.problems()
        yield from amount.end_problems()

    def _read_problems(self, step: Step) -> Iterator[Problem]:
        """What only the rows, with the columns that it takes, can tell."""
        without_template = list(self._template_problems(step))
        yield from without_template
        yield from self._reward_problems(step)
        lineage = list(self._lineage(step))
        base = lineage[-1].name
        if base in self.tokenizers and not without_template:
            other = any("chat_template_path" in stage.given for stage in lineage)
            config, tokenizer, root = self.model_configs[base], self.tokenizers[base], self.program.graph.root
            fitting = Fitting(step, config, tokenizer, self._data(step), root, other)
            yield from (step.problem(wrong, name) for name, wrong in fitting.complaints())

    def _template_problems(self, step: Step) -> Iterator[Problem]:
        """Conversations need a chat template; without one every method fails, once it has loaded the model."""
        ports = [port for port in DATA_PORTS if port in step.wires]
        port = next((p for p in ports if any(map(_is_conversation, self._data(step, p)[0].values()))), None)
        if port is None:
            return
        lineage = list(self._lineage(step))
        tokenizer = self.tokenizers.get(lineage[-1].name)
        given = any("chat_template_path" in stage.given for stage in lineage)
        if tokenizer is not None and tokenizer.chat_template is None and not given:
            model = shown(lineage[-1].given["path"])
            yield step.problem(
                f"its data set holds conversations, but {model} has no chat template; take an instruct model, set "
                "chat_template_path on an SFT stage, or use plain text.",
                port,
            )

    def _place_problems(self, step: Step) -> Iterator[Problem]:
        """Nor is a folder that cannot be written to."""
        output_dir = self.loaded.module.output_dir
        if step.node is SaveModel:
            folder, parameter = resolve(self._context(step)["folder"], output_dir), "folder"
        elif issubclass(step.node, Trainer) and not (output_dir / step.name / FINISHED).exists():
            folder, parameter = output_dir / step.name, ""
        else:
            return
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not place.is_dir():
            yield step.problem(f"cannot write to {folder}: {place} is a file; choose another folder.", parameter)
        elif not os.access(place, os.W_OK | os.X_OK):
            remedy = "make it writable for this user, or choose another folder"
            yield step.problem(f"cannot write to {folder}: {place} is read-only; {remedy}.", parameter)

    def _reward_problems(self, step: Step) -> Iterator[Problem]:
        return reward_problems(self.program, self.loaded, step, self.cancelled)

    def _lineage(self, step: Step) -> Iterator[Step]:
        """The stage, the one whose model it starts from, and so on to Load Model."""
        yield step
        while step.node is not LoadModel:
            step = self.program.graph.by_name[step.wires["model"].step]
            yield step


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "role" in value[0]
