"""A script that this package exported: the flow that it carries, with the settings that were changed in it since.

The script is parsed (``ast``), never executed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.errors import FlowError, Problem
from ryven_llm_nodes.program import Graph, Program, Step, build, read_flow
from ryven_llm_nodes.program.carried import ROOT
from ryven_llm_nodes.program.project import as_project, relative_root

CONFIG: Final = "_config"
"""The end of the name of the function that configures a stage."""
CHANGED: Final = "was changed in the script by hand, which no node can express; write it into a node."


def from_script(path: Path, folder: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The project of the flow in the script at ``path``, for a file in ``folder``, and what is not taken over.

    Raises FlowError for a script that carries no flow.
    """
    graph = read_flow(path)
    tree = _parsed(path)
    told: list[Problem] = []
    try:
        program = build(graph)
    except FlowError:
        told.append(_note(path, "", "the flow has problems, so changes of the script are not compared; see check."))
    else:
        graph = _with_changes(program, path, tree, told)
    place = relative_root(graph.root, folder)
    return as_project(graph) | ({} if place == "." else {ROOT: place}), told


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FlowError([Problem(f"is no Python ({error}); correct the script.", node=str(path))]) from error


def _note(path: Path, place: str, message: str) -> Problem:
    return Problem(message, node=path.name, parameter=place, weight="warning")


def _with_changes(program: Program, path: Path, tree: ast.Module, told: list[Problem]) -> Graph:
    """The flow with the settings of the script; what else differs from the script as it is written now is told."""
    before, after = _parts(ast.parse(program.script_for(path.resolve().parent).text)), _parts(tree)
    graph = program.graph
    for step in program.steps:
        stage, code = after.get(f"{step.name}{CONFIG}"), _code_of(step, program, before, after)
        if stage is not None and (values := _changed(before.get(f"{step.name}{CONFIG}"), stage)):
            graph = _set(graph, step, values, path, told)
        if code is not None:
            graph = _set(graph, step, {"code": code}, path, told)
    for name in _differing(program, before, after):
        told.append(_note(path, name, CHANGED))
    return graph


def _parts(tree: ast.Module) -> dict[str, ast.stmt]:
    """The functions and classes of a script by their names, and the statements of its ``main`` by what they assign."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node
    main = found.pop("main", None)
    for node in main.body if isinstance(main, ast.FunctionDef) else ():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[f"main: {node.targets[0].id}"] = node
    return found


def _changed(before: ast.stmt | None, after: ast.stmt) -> dict[str, JSON]:
    """The settings of a stage that differ."""
    old, new = (dict(_settings(node)) if node is not None else {} for node in (before, after))
    return {name: value for name, value in new.items() if name not in old or old[name] != value}


def _settings(function: ast.stmt) -> Iterator[tuple[str, JSON]]:
    """The keywords of ``settings = dict(...)`` that are literals."""
    for node in ast.walk(function):
        is_settings = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "settings"
        for keyword in node.value.keywords if is_settings and isinstance(node.value, ast.Call) else ():
            try:
                yield str(keyword.arg), ast.literal_eval(keyword.value)
            except ValueError:
                continue  # an expression, such as a path, which the comparison of the functions tells


def _code_of(step: Step, program: Program, before: Mapping[str, ast.stmt], after: Mapping[str, ast.stmt]) -> str | None:
    """The code of a node that holds some, where its function was changed in the script."""
    defined = program.cells[step.name].definition
    if not step.node.holds_code or not defined:
        return None
    names = [node.name for node in ast.parse(defined).body if hasattr(node, "name")]
    if all(name not in after or _same(before.get(name), after[name]) for name in names):
        return None
    parts = [after.get(node.name, node) if hasattr(node, "name") else node for node in ast.parse(defined).body]
    return "\n\n\n".join(ast.unparse(part) for part in parts) + "\n"


def _same(one: ast.AST | None, other: ast.AST | None) -> bool:
    return one is not None and other is not None and ast.dump(one) == ast.dump(other)


def _differing(program: Program, before: Mapping[str, ast.stmt], after: Mapping[str, ast.stmt]) -> Iterator[str]:
    """The parts of the steps, not those of the support code, that differ in more than settings and code of a node."""
    held = {
        node.name
        for step in program.steps
        if step.node.holds_code
        for node in ast.parse(program.cells[step.name].definition).body
        if hasattr(node, "name")
    }
    for name, old in before.items():
        is_part = name.startswith("main: ") or name.endswith(CONFIG) or name in program.graph.by_name
        if not is_part or name in held:
            continue
        if name not in after or not _same(_without_settings(old), _without_settings(after[name])):
            yield name
    yield from (name for name in after if name.startswith("main: ") and name not in before)


def _without_settings(node: ast.stmt) -> ast.stmt:
    """The part without the settings that are literals."""
    copy = ast.parse(ast.unparse(node)).body[0]
    for call in ast.walk(copy):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "dict":
            call.keywords = [keyword for keyword in call.keywords if not _is_literal(keyword.value)]
    return copy


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def _set(graph: Graph, step: Step, values: Mapping[str, JSON], path: Path, told: list[Problem]) -> Graph:
    known = step.node.all_parameters()
    for name, value in values.items():
        if name not in known:
            told.append(_note(path, f"{step.name}.{name}", f"is no parameter of {step.node.title}; leave it out."))
            continue
        found = graph.by_name[step.name]
        changed = replace(found, given={**found.given, name: value})
        graph = replace(graph, steps=tuple(changed if one is found else one for one in graph.steps))
    return graph
