"""Finds before training what would fail late, or teach nothing: models, settings, data, templates, rewards."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ryven_llm_nodes.catalogue.findings import Base, Finding, Pretrained, Seen
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.errors import Problem, by_weight, shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.broken_data import wrong_bytes
from ryven_llm_nodes.run.examine.configs import config_problems, configuration
from ryven_llm_nodes.run.examine.here import here_problems
from ryven_llm_nodes.run.examine.models import model_findings
from ryven_llm_nodes.run.examine.prepared import Preparation, PreparedRows
from ryven_llm_nodes.run.examine.rules import Look, found_by_rules
from ryven_llm_nodes.run.fit.findings import fit_findings
from ryven_llm_nodes.run.library_warnings import about
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.models import reward_model_problems, unloaded_problems, wrong_head
from ryven_llm_nodes.run.rewards.tryout import reward_problems
from ryven_llm_nodes.run.store.kept import FINISHED
from ryven_llm_nodes.system.causes import describe, is_unreachable


def preflight(
    program: Program, loaded: LoadedProgram, cancelled: threading.Event, all_rows: bool = False, weights: bool = True
) -> list[Problem]:
    """Everything that is found in ``program``: what would fail a stage later, and what would teach nothing.

    The datasets have been loaded. Of models only configuration and tokenizer are, except for reward models, which score
    two rows and are unloaded (not without ``weights``); reward functions are called once, in a separate namespace.
    Tokens are counted in a sample of the rows, or in ``all_rows``. Raises Cancelled when asked to stop.
    """
    return by_weight(_Preflight(program, loaded, cancelled, all_rows, weights).problems())


class _Preflight:
    def __init__(
        self, program: Program, loaded: LoadedProgram, cancelled: threading.Event, all_rows: bool, weights: bool
    ) -> None:
        self.program, self.loaded, self.cancelled = program, loaded, cancelled
        self.all_rows, self.weights = all_rows, weights
        self.bases: dict[str, Base] = {}
        self.preparation = Preparation(program, loaded, {})
        self.unreadable: set[str] = set()
        self.lacking: set[tuple[str, str]] = set()
        self.has_errors = False

    def problems(self) -> Iterator[Problem]:
        lacking = list(here_problems(self.program))
        self.lacking = {(problem.step, problem.parameter) for problem in lacking}
        yield from lacking
        for step in self.program.steps:
            with about(step):
                found = list(self._step_problems(step))
                yield from found
                self.has_errors |= any(problem.weight == "error" for problem in found)
        tokenizers = {name: base.tokenizer for name, base in self.bases.items() if base.tokenizer is not None}
        tried = reward_model_problems if self.weights else unloaded_problems
        yield from tried(self.program, self.loaded, tokenizers, self.cancelled)

    def _step_problems(self, step: Step) -> Iterator[Problem]:
        context = self.program.context(step)
        if wrong := wrong_bytes(step.node.data_files(context)):
            self.unreadable.add(step.name)
            yield step.problem(wrong, "path")
        if step.name not in self.loaded.without and (model := step.node.pretrained(context)) is not None:
            yield from self._model_problems(step, model)
        wrong_settings = list(self._config_problems(step))
        yield from wrong_settings
        if not any(wire.step in self.unreadable for wire in step.wires.values()):
            look = Look(context, self._seen(step, not wrong_settings), self.all_rows, partial(self._prepared, step))
            found = list(self._findings(look))
            yield from map(step.found, found)
            if not self.has_errors and not any(finding.weight == "error" for finding in found):
                yield from map(step.found, fit_findings(self.program, self.loaded, step, look))
            odd = {port: survey.odd_rows(look.others(port)) for port, survey in look.surveys.items()}
            yield from reward_problems(self.program, self.loaded, step, self.cancelled, odd)
        yield from self._place_problems(step)

    def _config_problems(self, step: Step) -> Iterator[Problem]:
        if self._is_configured(step):
            wrong = config_problems(self.program, self.loaded, step)
            yield from (problem for problem in wrong if (problem.step, problem.parameter) not in self.lacking)

    def _is_configured(self, step: Step) -> bool:
        """Whether it is a trainer whose configuration can be made: one for several processes needs these.

        And one whose settings have not been allowed is left out of what was loaded.
        """
        is_alone = self.program.graph.launch.of(step.name).total == 1
        return bool(self.program.cells[step.name].config) and is_alone and step.name not in self.loaded.without

    def _findings(self, look: Look) -> Iterator[Finding]:
        """What the node itself finds, and what the rules find."""
        node, context, seen = look.context.node, look.context, look.seen
        found = list(node.read(context, seen))
        if not any(finding.place in seen.rows and finding.weight == "error" for finding in found):
            found += node.ready(context, seen) if seen.settings is not None else ()
            found += found_by_rules(look, any(finding.weight == "error" for finding in found))
        yield from found

    def _prepared(self, step: Step, rows: Any, indices: Sequence[int]) -> PreparedRows:
        """What the trainer of ``step`` makes of ``rows``."""
        return self.preparation.rows(step, rows, indices)

    def _seen(self, step: Step, is_configurable: bool) -> Seen:
        """What has been read for ``step``: its rows, and what is known of the models that its chains start from."""
        bases = {port: self._base(step, port) for port in step.wired("model")}
        own = next(iter(bases.values()), Base())
        is_configured = is_configurable and self._is_configured(step)
        adapters = [self.loaded.input(step, port) for port in step.wired("adapter")]
        return Seen(
            rows=self.loaded.rows(step),
            model=own.location,
            config=own.config,
            tokenizer=own.tokenizer,
            generation=own.generation,
            other_template=own.other_template or step.node.gives_template(step.given),
            bases=dict(list(bases.items())[1:]),
            adapter=adapters[0] if adapters else None,
            settings=configuration(self.program, self.loaded, step) if is_configured else None,
        )

    def _base(self, step: Step, port: str) -> Base:
        """The model that the chain into ``port`` starts from, with what its stages change of the tokenizer."""
        lineage = list(self.program.graph.lineage(self.program.graph.by_name[step.wires[port].step]))
        base = self.bases.get(lineage[-1].name, Base())
        for stage in reversed(lineage):
            base = _after(base, stage)
        return base

    def _model_problems(self, step: Step, model: Pretrained) -> Iterator[Problem]:
        """A wrong name should be found at once, not after an hour."""
        from transformers import AutoConfig, AutoTokenizer

        place, where = model.place(self.program.graph.root), model.options
        self.bases[step.name] = Base(model.location)
        try:
            config = AutoConfig.from_pretrained(place, **where)
            tokenizer = AutoTokenizer.from_pretrained(place, **where)
        except Exception as error:  # the stage would fail with the same error
            problem = step.problem(f"{shown(place)} cannot be loaded: {describe(error)}", model.parameter)
            yield problem if self.weights or not is_unreachable(error) else replace(problem, weight="note")
            return
        if model.scores and (wrong := wrong_head(config)):
            yield step.problem(wrong, model.parameter)
            return
        found = list(model_findings(model, config, tokenizer))
        yield from map(step.found, found)
        if not any(finding.weight == "error" for finding in found):
            self.bases[step.name] = Base(model.location, config, tokenizer, _generation(place, where))
            self.preparation.know(step.name, tokenizer)

    def _place_problems(self, step: Step) -> Iterator[Problem]:
        """So should a folder that cannot be written to."""
        writes = step.node.writes
        left = step.left_at(self.loaded.output_dir)
        if left is None:
            return
        if owner := self._loaded_from(left):
            yield step.problem(f"would overwrite the model that {owner} loads: {left}; choose another folder.", writes)
            return
        if step.node.is_stage and (left / FINISHED).exists():
            return
        folder = left.parent if step.node.leaves == "file" else left
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not place.is_dir():
            message = f"cannot write to {folder}: {place} is a file; choose another folder."
            yield step.problem(message, step.node.writes)
        elif not os.access(place, os.W_OK | os.X_OK):
            remedy = "make it writable for this user, or choose another folder"
            yield step.problem(f"cannot write to {folder}: {place} is read-only; {remedy}.", step.node.writes)

    def _loaded_from(self, folder: Path) -> str:
        """The node that loads a model from ``folder``, if one does."""
        for step in self.program.steps:
            model = step.node.pretrained(self.program.context(step))
            if model and is_local(model.location, self.program.graph.root):
                place = resolve(model.location, self.program.graph.root)
                if os.path.realpath(place) == os.path.realpath(folder):
                    return step.label
        return ""


def _generation(place: str, where: Mapping[str, Any]) -> dict[str, Any]:
    """The generation settings of a model, as they are written; none where there is no file of them."""
    from transformers.utils import GENERATION_CONFIG_NAME, cached_file

    try:
        file = cached_file(place, GENERATION_CONFIG_NAME, revision=where.get("revision"))
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _after(base: Base, stage: Step) -> Base:
    """``base`` after ``stage``, which may have set another template or end token."""
    if stage.node.gives_template(stage.given):
        base = replace(base, other_template=True)
    end = stage.given.get("eos_token")
    if isinstance(end, str) and base.tokenizer is not None and end in base.tokenizer.get_vocab():
        from copy import deepcopy

        tokenizer = deepcopy(base.tokenizer)
        tokenizer.eos_token = end
        base = replace(base, tokenizer=tokenizer)
    return base
