"""Tests that can fail: each one holds an outcome against what it should be, itself or in a helper that it calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CHECKS = {"raises", "fail", "warns", "assert_close", "waitUntil", "waitSignal"}
"""Calls that end a test where an outcome is another one: of pytest, torch, pytest-qt."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def _functions(file: Path) -> list[Function]:
    """The functions of a file, methods too."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [item for item in ast.walk(tree) if isinstance(item, Function)]


@cache
def _helpers(file: Path) -> dict[str, Path]:
    """The names that a test file has from the helper modules in tests/, and where they are defined."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imports = [item for item in ast.walk(tree) if isinstance(item, ast.ImportFrom)]
    places = {alias.asname or alias.name: TESTS / f"{item.module}.py" for item in imports for alias in item.names}
    return {name: place for name, place in places.items() if place.is_file()}


def _called(function: Function) -> Iterator[str]:
    """The last name of everything that a function calls: ``raises`` of ``pytest.raises(...)``."""
    for item in ast.walk(function):
        if isinstance(item, ast.Call) and isinstance(item.func, ast.Name | ast.Attribute):
            yield item.func.id if isinstance(item.func, ast.Name) else item.func.attr


def checks(function: Function, file: Path, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a function compares something that is not fixed, or calls a function of the tests that does."""
    asserts = (item.test for item in ast.walk(function) if isinstance(item, ast.Assert))
    if any(not isinstance(test, ast.Constant) for test in asserts):
        return True
    called = set(_called(function)) - seen
    places = {_helpers(file).get(name, file) for name in called}
    helpers = [(item, place) for place in places for item in _functions(place) if item.name in called]
    return bool(called & CHECKS) or any(checks(item, place, seen | called) for item, place in helpers)


def without_check(file: Path) -> list[str]:
    """The tests of a file that cannot fail but by an exception."""
    tests = [item for item in _functions(file) if item.name.startswith("test")]
    return [f"{file.name}:{item.lineno} {item.name}" for item in tests if not checks(item, file)]


def test_every_test_holds_something_against_what_it_should_be() -> None:
    found = [line for file in TESTS.rglob("test_*.py") for line in without_check(file)]
    assert found == [], "assert an outcome that would be another one if the product were broken"


CASES = {
    "run()": False,
    "assert True": False,
    "assert 'a text'": False,
    "compile(text, 'x', 'exec')": False,
    "harmless()": False,
    "assert run() == 1": True,
    "with pytest.raises(ValueError):\n        run()": True,
    "torch.testing.assert_close(run(), 1)": True,
    "editor.qtbot.waitUntil(lambda: run())": True,
    "for case in run():\n        checked(case)": True,
    "indirect()": True,
    "alone('sft')": False,
}
HELPERS = """
def harmless():
    indirect_circle()

def indirect_circle():
    harmless()

def checked(case):
    assert case

def indirect():
    checked(1)
"""


@pytest.mark.parametrize("body", CASES)
def test_such_a_test_is_found(body: str, tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(f"from flows import alone\n{HELPERS}\ndef test_it():\n    {body}\n")
    assert without_check(file) == ([] if CASES[body] else [f"test_it.py:{HELPERS.count(chr(10)) + 3} test_it"])
