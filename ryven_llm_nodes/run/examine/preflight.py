"""Tests before training what could otherwise fail late: models, settings, data, chat templates, rewards."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ryven_llm_nodes.catalogue.findings import Pretrained, Seen
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.errors import FlowError, Problem, shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.events import Warned
from ryven_llm_nodes.run.examine.broken_data import wrong_bytes
from ryven_llm_nodes.run.examine.configs import config_problems, configuration
from ryven_llm_nodes.run.examine.here import here_problems
from ryven_llm_nodes.run.library_warnings import about
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.models import reward_model_problems, wrong_head
from ryven_llm_nodes.run.rewards.tryout import reward_problems
from ryven_llm_nodes.run.store.kept import FINISHED
from ryven_llm_nodes.system.causes import describe


def preflight(program: Program, loaded: LoadedProgram, cancelled: threading.Event) -> list[Warned]:
    """Raises FlowError with everything that would fail a stage of ``program`` later, Cancelled when asked to stop.

    Returns warnings for the user.

    The datasets have been loaded. Of models only configuration and tokenizer are, except for reward models, which score
    two rows and are unloaded; reward functions are called once, in a separate namespace, with two rows.
    """
    examined = _Preflight(program, loaded, cancelled)
    problems = list(dict.fromkeys(examined.problems()))
    if problems:
        raise FlowError(problems)
    return examined.warnings


class _Preflight:
    def __init__(self, program: Program, loaded: LoadedProgram, cancelled: threading.Event) -> None:
        self.program, self.loaded, self.cancelled = program, loaded, cancelled
        self.models: dict[str, str] = {}
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
        context = self.program.context(step)
        if wrong := wrong_bytes(step.node.data_files(context)):
            self.unreadable.add(step.name)
            yield step.problem(wrong, "path")
        if (model := step.node.pretrained(context)) is not None:
            yield from self._model_problems(step, model)
        wrong_settings = list(self._config_problems(step))
        yield from wrong_settings
        if not any(wire.step in self.unreadable for wire in step.wires.values()):
            yield from self._findings(step, context, not wrong_settings)
            yield from reward_problems(self.program, self.loaded, step, self.cancelled)
        yield from self._place_problems(step)

    def _config_problems(self, step: Step) -> Iterator[Problem]:
        if self.program.cells[step.name].config:
            wrong = config_problems(self.program, self.loaded, step)
            yield from (problem for problem in wrong if (problem.step, problem.parameter) not in self.lacking)

    def _findings(self, step: Step, context: NodeContext, is_configurable: bool) -> Iterator[Problem]:
        """What the node itself finds; findings that are not errors are collected as warnings."""
        seen = self._seen(step)
        found = list(step.node.read(context, seen))
        has_config = is_configurable and self.program.cells[step.name].config
        if has_config and not any(finding.place in seen.rows for finding in found):
            settings = configuration(self.program, self.loaded, step)
            found += step.node.ready(context, replace(seen, settings=settings))
        for finding in found:
            problem = step.problem(finding.message, finding.place)
            if finding.weight == "error":
                yield problem
            else:
                self.warnings.append(Warned(step.name, finding.place, str(problem)))

    def _seen(self, step: Step) -> Seen:
        """What has been read for ``step``: its rows, and what is known of the model that its chain starts from."""
        lineage = list(self.program.graph.lineage(step))
        base = lineage[-1]
        return Seen(
            rows=self.loaded.rows(step),
            model=self.models.get(base.name, ""),
            config=self.model_configs.get(base.name),
            tokenizer=self.tokenizers.get(base.name),
            other_template=any(stage.node.gives_template(stage.given) for stage in lineage),
        )

    def _model_problems(self, step: Step, model: Pretrained) -> Iterator[Problem]:
        """A wrong name should be found at once, not after an hour."""
        from transformers import AutoConfig, AutoTokenizer

        root = self.program.graph.root
        place = str(resolve(model.location, root)) if is_local(model.location, root) else model.location
        where = {"revision": model.revision or None, "trust_remote_code": model.trust_remote_code}
        where = {name: value for name, value in where.items() if value is not None}
        self.models[step.name] = model.location
        try:
            config = AutoConfig.from_pretrained(place, **where)
            tokenizer = AutoTokenizer.from_pretrained(place, **where)
        except Exception as error:  # the stage would fail with the same error
            yield step.problem(f"{shown(place)} cannot be loaded: {describe(error)}", model.parameter)
            return
        if model.scores and (wrong := wrong_head(config)):
            yield step.problem(wrong, model.parameter)
        else:
            self.model_configs[step.name], self.tokenizers[step.name] = config, tokenizer

    def _place_problems(self, step: Step) -> Iterator[Problem]:
        """So should a folder that cannot be written to."""
        left = step.left_at(self.loaded.output_dir)
        if left is None or (step.node.is_stage and (left / FINISHED).exists()):
            return
        folder = left.parent if step.node.leaves == "file" else left
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not place.is_dir():
            message = f"cannot write to {folder}: {place} is a file; choose another folder."
            yield step.problem(message, step.node.writes)
        elif not os.access(place, os.W_OK | os.X_OK):
            remedy = "make it writable for this user, or choose another folder"
            yield step.problem(f"cannot write to {folder}: {place} is read-only; {remedy}.", step.node.writes)
