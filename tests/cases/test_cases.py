"""Every case gets its finding before anything is loaded, and a right input gets none. README.md is the table of all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent
TABLE = FOLDER / "README.md"
ROOTS = ("values", "columns", "tokens", "steps", "files", "models", "chains", "right")
"""The files of cases, one for each root of what goes wrong, and one of right inputs."""


def _load(name: str) -> ModuleType:
    return import_module(f"cases.{name}")


CASES = {f"{root}: {case.name}": case for root in ROOTS for case in _load(root).CASES}
seen: dict[str, tuple[str, str]] = {}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    _load("written_models").write_models(folder)
    return folder


@pytest.fixture
def root(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the models, as links; the cache of data sets is its own."""
    for model in models.iterdir():
        (tmp_path / model.name).symlink_to(model)
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    yield tmp_path
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)


@pytest.mark.parametrize("name", CASES)
def test_a_case_gets_its_finding(name: str, root: Path) -> None:
    case = CASES[name]
    problems = case.found(root)
    seen[name] = weight, line = case.verdict(problems)
    assert (weight, case.surplus(problems)) == (case.weight, []), "\n".join(problem.line for problem in problems)
    assert case.phrase in line
    assert "Error:" not in line or "> code: " in line, "an exception of a library, not of the user's code"


def test_cases_have_names_of_their_own() -> None:
    assert len(CASES) == sum(len(_load(root).CASES) for root in ROOTS)


def test_the_table_is_that_of_all_cases() -> None:
    """Needs the cases above; UPDATE_GOLDENS=1 writes it."""
    if len(seen) < len(CASES):
        pytest.skip("not all cases ran")
    text = "".join(["# What is found\n\n", HEAD, *(_row(name) for name in CASES)])
    if os.environ.get("UPDATE_GOLDENS"):
        TABLE.write_text(text, encoding="utf-8")
    assert TABLE.read_text(encoding="utf-8") == text


HEAD = (
    "Written by `test_cases.py`: each case, the weight of its finding, and the line that a check prints. Right inputs "
    "have none.\n\n| case | weight | line |\n|---|---|---|\n"
)


def _row(name: str) -> str:
    weight, line = seen[name]
    line = line.replace("|", "\\|").replace("<", "&lt;")
    return f"| {name} | {weight or 'none'} | {line or '-'} |\n"
