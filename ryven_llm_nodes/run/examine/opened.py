"""A program whose datasets and tokenizers are loaded, to look at them: no weights, and nothing is trained or kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ryven_llm_nodes.errors import FlowError, Problem, shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.environment import prepared_environment
from ryven_llm_nodes.run.examine.prepared import Preparation, PreparedRows
from ryven_llm_nodes.run.execute.failures import stage_error
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.system.causes import describe


@dataclass(frozen=True)
class Opened:
    """What is loaded of ``program``."""

    program: Program
    loaded: LoadedProgram
    preparation: Preparation

    def dataset(self, step: Step) -> Any:
        """The rows that ``step`` makes, or trains on. Raises FlowError where it does neither, or not yet."""
        if any(port.kind == "dataset" for port in step.node.out_ports) and step.name not in self.program.later:
            return self.loaded.datasets_of(step)[0]
        rows = self.loaded.rows(step)
        if "dataset" not in rows:
            raise FlowError([step.problem("has no rows to look at: it neither makes a dataset nor trains on one.")])
        return rows["dataset"]

    def trains(self, step: Step) -> bool:
        """Whether ``step`` trains on rows, so that these can be prepared."""
        return bool(self.program.cells[step.name].config)

    def prepared(self, step: Step, indices: list[int]) -> PreparedRows:
        """What the trainer ``step`` makes of its rows at ``indices``. Raises FlowError where it cannot."""
        try:
            return self.preparation.rows(step, self.dataset(step), indices)
        except FlowError:
            raise
        except Exception as error:  # the stage would fail with the same error
            raise FlowError([step.problem(f"cannot prepare its rows: {describe(error)}", "dataset")]) from error


@contextmanager
def opened(program: Program) -> Iterator[Opened]:
    """Loads the datasets and tokenizers of ``program``, and defines what its code defines.

    Raises FlowError for what cannot be loaded. Code of the flow is executed: ask for trust before.
    """
    with (
        prepared_environment(),
        tempfile.TemporaryDirectory() as folder,
        LoadedProgram(program, Path(folder)) as loaded,
    ):
        for step in loaded.value_steps:
            _load(program, loaded, step)
        yield Opened(program, loaded, Preparation(program, loaded, dict(_tokenizers(program))))


def _load(program: Program, loaded: LoadedProgram, step: Step) -> None:
    try:
        loaded.run(step.name)
    except Exception as error:
        raise FlowError([Problem(str(stage_error(error, step, program, loaded)))]) from error


def _tokenizers(program: Program) -> Iterator[tuple[str, Any]]:
    from transformers import AutoTokenizer

    for step in program.steps:
        model = step.node.pretrained(program.context(step))
        if model is None or model.scores:
            continue
        place = model.place(program.graph.root)
        try:
            yield step.name, AutoTokenizer.from_pretrained(place, **model.options)
        except Exception as error:  # the stage would fail with the same error
            message = f"the tokenizer of {shown(place)} cannot be loaded: {describe(error)}"
            raise FlowError([step.problem(message, model.parameter)]) from error
