"""Answers questions about rows, and checks flows, in a process of its own.

It is ``python -m ryven_llm_nodes.run.examine.serving``.

A line of JSON is a question, and so is each answer, after what there was of it before (``partial``). The editor stays
responsive, the random generators of a training stay untouched, and the memory is free when the process ends. The
program that was asked about last stays open.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TextIO

from ryven_llm_nodes.errors import FlowError, LLMNodesError, Problem, UsageError
from ryven_llm_nodes.program import Graph, Program, build
from ryven_llm_nodes.program.environment import prepare_environment, prepared_environment
from ryven_llm_nodes.program.project import graph_of_project
from ryven_llm_nodes.run.examine.check import checked
from ryven_llm_nodes.run.examine.opened import Opened, opened
from ryven_llm_nodes.run.examine.preview import as_data, chosen_row, overview, row_preview, table
from ryven_llm_nodes.run.rewards.bench import as_data as as_data_of_bench
from ryven_llm_nodes.run.rewards.bench import bench
from ryven_llm_nodes.system.causes import describe

PASTED: Final = "the pasted text"
"""What messages call completions that were pasted."""
Tell = Callable[[dict[str, Any]], object]


class Server:
    """Answers questions; keeps the program of the last one open."""

    def __init__(self) -> None:
        self._stack, self._opened, self._key = ExitStack(), None, ""
        self._overviews: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Mapping[str, Any], tell: Tell = lambda partial: None) -> dict[str, Any]:
        """The answer to :func:`question`: ``shown`` holds previews, or ``problems`` what is wrong.

        ``tell`` gets what is there of it while it takes long, as ``partial``.
        """
        found: dict[str, Any] = {"number": asked.get("number")}
        try:
            if "check" in asked:
                return found | {"found": [asdict(problem) for problem in self._checked(asked)]}
            if "bench" in asked:
                return found | {"scored": _scored(asked, lambda made: tell(found | {"partial": made}))}
            return found | {"shown": self._shown(asked)}
        except FlowError as error:
            return found | {"problems": [str(problem) for problem in error.problems]}
        except LLMNodesError as error:
            return found | {"problems": [str(error)]}
        except Exception as error:  # whatever a library raises for rows that it cannot take
            return found | {"problems": [describe(error)]}

    def _checked(self, asked: Mapping[str, Any]) -> list[Problem]:
        graph = graph_of_project(asked["check"], Path(asked["root"]))
        return checked(build(graph), Path(asked["output"]), [(step, name) for step, name in asked["untrusted"]])

    def _shown(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        graph = graph_of_project(asked["project"], Path(asked["root"]))
        there = self._open(graph)
        step = there.program.graph.by_name[asked["step"]]
        if not there.trains(step):
            return [as_data(table(there, step, asked["first"]))]
        if step.name not in self._overviews:
            self._overviews[step.name] = as_data(overview(there, step))
        of_all = self._overviews[step.name]
        wanted = asked["row"] or "1"
        row = of_all["worst"] if wanted == "worst" else chosen_row(there, step, wanted)
        return [of_all, as_data(row_preview(there, step, row))]

    def _open(self, graph: Graph) -> Opened:
        """The program of ``graph``: that of the last question, unless flow or files have changed since."""
        program = build(graph)
        key = f"{graph.digest} {graph.root} {sorted(_stamps(program))}"
        if self._opened is None or key != self._key:
            self.close()
            self._opened, self._key = self._stack.enter_context(opened(program)), key
        return self._opened

    def close(self) -> None:
        """Releases what is open."""
        self._stack.close()
        self._opened, self._key, self._overviews = None, "", {}


def _scored(asked: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    program = build(graph_of_project(asked["bench"], Path(asked["root"])))
    reward, pasted = program.graph.by_name[asked["step"]], asked["pasted"]
    options = {"trainer": program.graph.by_name.get(asked["trainer"]), **asked["sampling"]}
    with tempfile.TemporaryDirectory() as folder, prepared_environment():
        if pasted is None:
            told = {"tell": lambda made: tell(as_data_of_bench(made))}
            return as_data_of_bench(bench(program, reward, Path(folder), **options, **told))
        file = Path(folder) / "pasted"
        file.write_text(pasted, encoding="utf-8")
        try:
            found = as_data_of_bench(bench(program, reward, Path(folder), file, **options))
        except UsageError as error:
            raise UsageError(str(error).replace(str(file), PASTED)) from error
        return found | {"source": PASTED}


def _stamps(program: Program) -> Iterator[tuple[str, int, int]]:
    """The files that hold the rows of ``program``, with what changes when they are written."""
    for step in program.steps:
        for file in step.node.data_files(program.context(step)):
            if not file.exists():
                raise UsageError(f"{step.label}: {file} does not exist any more.")
            yield str(file), file.stat().st_mtime_ns, file.stat().st_size


def serve(questions: TextIO, answers: TextIO) -> None:
    """Answers one question after another, until there is no more. What libraries print goes to the error output."""
    server = Server()

    def say(answer: Mapping[str, Any]) -> None:
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()

    with redirect_stdout(sys.stderr):
        for line in questions:
            say(server.answer(json.loads(line), say))
    server.close()


if __name__ == "__main__":
    prepare_environment()
    serve(sys.stdin, sys.stdout)
