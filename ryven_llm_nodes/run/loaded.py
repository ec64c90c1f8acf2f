"""A program's text as a module of this process, whose statements are run one by one."""

from __future__ import annotations

import ast
import hashlib
import importlib
import linecache
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

from ryven_llm_nodes.catalogue.usercode import blank_lines
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.store.measures import HELD, MEASURER, KeptMeasures

_numbers = count(1)


class LoadedProgram:
    """The script of a program, executed as a module up to ``main``, whose statements are then run one by one.

    The module is registered under a name of its own while it is in use: configurations are pickled into checkpoints
    by reference to their class, and dataclasses look their module up. The name contains a digest of the text, since the
    cache of ``datasets`` knows the functions of a module by their names only.

    ``without`` names steps whose own code must not run.
    """

    def __init__(self, program: Program, output_dir: Path, without: Collection[str] = ()) -> None:
        self.program, self.script = program, program.script
        self.without = frozenset(without)
        digest = hashlib.sha256(program.script.text.encode("utf-8", "surrogatepass")).hexdigest()
        self.name = f"ryven_llm_flow_{digest[:12]}_{next(_numbers)}"
        self.file = str(program.graph.root / f"<{self.name}>")
        self._tree = ast.parse(self.script.text, self.file)
        self._beside = {name for cell in program.cells.values() for name in cell.modules}
        self.module = ModuleType(self.name)
        self.module.__dict__.update(__file__=self.file)
        self.output_dir = output_dir

    def __enter__(self) -> LoadedProgram:
        """Runs the definitions; the libraries are imported here, which takes seconds."""
        lines = self.script.text.splitlines(keepends=True)
        linecache.cache[self.file] = (len(self.script.text), None, lines, self.file)  # for tracebacks and inspect
        sys.modules[self.name] = self.module
        self._forget_modules()
        try:
            exec(self._code(self._allowed()), self.module.__dict__)
            pipeline = self.module.Pipeline(self.output_dir, say=lambda text: None)  # events report it
            self.module.__dict__["pipeline"] = pipeline  # what main() is called with
            if MEASURER in self.module.__dict__:
                self.module.__dict__[HELD] = KeptMeasures(self.output_dir)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _allowed(self) -> list[ast.stmt]:
        """The text but what is defined for the steps in ``without``."""
        hidden = [self.script.definitions[step] for step in self.without if step in self.script.definitions]
        return [node for node in self._tree.body if not any(first <= node.lineno <= last for first, last in hidden)]

    def __exit__(self, *_: object) -> None:
        sys.modules.pop(self.name, None)
        place = str(self.module.__dict__.get("ROOT", ""))
        if self._beside and place in sys.path:  # where the text has put it
            sys.path.remove(place)
        self._forget_modules()
        linecache.cache.pop(self.file, None)

    def _forget_modules(self) -> None:
        """Modules next to the flow file may differ in the next run, and must not stay in this process.

        Nor may what they were compiled to: Python takes a file of the same second and size for the same.
        """
        for name in [name for name in sys.modules if name.partition(".")[0] in self._beside]:
            compiled = getattr(sys.modules.pop(name), "__cached__", None)
            if compiled is not None:
                with suppress(OSError):
                    os.unlink(compiled)
        importlib.invalidate_caches()

    @property
    def value_steps(self) -> Iterator[Step]:
        """The steps that only make a value, such as a dataset, in the order in which they run."""
        for step in self.program.steps:
            if step.name in self.script.statements and step.name not in self.program.later:
                yield step

    def run(self, step: str) -> Any:
        """Runs the statement of ``step`` in ``main``; returns the value that it assigned to the step's name."""
        first, last = self.script.statements[step]
        main = next(node for node in self._tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
        *statements, end = [node for node in main.body if first <= node.lineno <= last]
        if isinstance(end, ast.Expr):  # nothing uses its value
            end = ast.copy_location(ast.Assign([ast.Name(step, ast.Store())], end.value), end)
        exec(self._code([*statements, ast.fix_missing_locations(end)]), self.module.__dict__)
        return self.module.__dict__[step]

    def evaluated(self, expression: str) -> Any:
        """What an expression of the script's own text stands for, once the statements before it have been run."""
        return eval(expression, dict(self.module.__dict__))  # noqa: S307 - our own text

    def input(self, step: Step, port: str) -> Any:
        """What comes in at a wired input of ``step``."""
        return self.evaluated(self.program.value(step, port).expression)

    def rows(self, step: Step) -> dict[str, Any]:
        """The datasets that are wired to ``step``, by its ports, but those that have not been made."""
        there = (port for port in step.wired("dataset") if step.wires[port].step in self.module.__dict__)
        return {port: self.input(step, port) for port in there if step.wires[port].step not in self.program.later}

    def datasets_of(self, step: Step) -> list[Any]:
        """The datasets that ``step`` has loaded."""
        ports = (port.name for port in step.node.out_ports if port.kind == "dataset")
        return [self.evaluated(self.program.cells[step.name].values[port].expression) for port in ports]

    def definition(self, step: str) -> CodeType:
        """What the script defines for ``step``, compiled again, to be run in a separate namespace."""
        first, last = self.script.definitions[step]
        return self._code([node for node in self._tree.body if first <= node.lineno <= last])

    def _code(self, body: list[ast.stmt]) -> CodeType:
        return compile(ast.Module(body, []), self.file, "exec", dont_inherit=True)

    def lines_of(self, traceback: TracebackType | None) -> Iterator[int]:
        """The lines of the script that a traceback passes through, outermost first."""
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self.file:
                yield traceback.tb_lineno
            traceback = traceback.tb_next

    def line_in_code(self, step: Step, lines: Iterable[int]) -> int | None:
        """The innermost of ``lines`` in the code of ``step``, counted in the user's code; None if there is none."""
        if not step.node.holds_code or step.name not in self.script.definitions:
            return None
        heading, last = self.script.definitions[step.name]
        inside = [line - heading for line in lines if heading < line <= last]
        return inside[-1] + blank_lines(step.setting("code")) if inside else None
