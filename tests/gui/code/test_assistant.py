"""The program that tells completions: what it tells, and that it runs nothing of anybody's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jedi
import pytest

from ryven_llm_nodes.gui.code.assistant import MOST, answer


@pytest.fixture(autouse=True)
def kept_elsewhere(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What jedi keeps goes to a folder of the tests."""
    monkeypatch.setattr(jedi.settings, "cache_directory", str(state_dir / "jedi"))


def ask(code: str, root: Path, **place: int) -> dict[str, Any]:
    """An answer about the end of ``code``."""
    lines = code.split("\n")
    place = {"line": len(lines), "column": len(lines[-1]), **place}
    return answer({"id": 1, "code": code, "root": str(root), **place})


def test_names_of_the_code_itself_and_of_the_library(tmp_path: Path) -> None:
    code = "import re\n\ndef reward(completions, **kwargs):\n    "
    assert ask(f"{code}comp", tmp_path)["names"] == ["compile", "completions", "complex"]
    assert {"compile", "fullmatch"} <= set(ask(f"{code}re.", tmp_path)["names"])
    assert "bit_length" in ask(f"{code}len(completions).", tmp_path)["names"]


def test_the_signature_of_the_call_at_hand(tmp_path: Path) -> None:
    code = "def shaped(text, weight=1.0, *, floor=0):\n    return text\n\nshaped("
    assert ask(code, tmp_path)["signature"] == "shaped(text, weight=1.0, *, floor=0)"
    assert ask("x = 1", tmp_path)["signature"] == ""


def test_modules_beside_the_flow(tmp_path: Path) -> None:
    (tmp_path / "helper_beside.py").write_text("def scores(completions):\n    return [1.0]\n")
    assert ask("import helper_beside\nhelper_beside.sco", tmp_path)["names"] == ["scores"]
    assert ask("import helper_beside\nhelper_beside.sco", tmp_path / "elsewhere")["names"] == []


def test_there_are_not_too_many(tmp_path: Path) -> None:
    code = "\n".join(f"name_{i} = {i}" for i in range(2 * MOST)) + "\nname_"
    assert len(ask(code, tmp_path)["names"]) == MOST


SPY = """
import json, sys
from ryven_llm_nodes.gui.code.assistant import main
before = set(sys.modules)
path = list(sys.path)
main()
news = {name for name in set(sys.modules) - before if not name.startswith(("jedi", "parso"))}
print(json.dumps({"imported": sorted(news - set(sys.stdlib_module_names)), "path": sys.path == path}))
"""


def test_nothing_is_run_and_no_library_imported(tmp_path: Path) -> None:
    """Code with effects, in the editor and beside the flow, and libraries that have compiled modules."""
    effect = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    (tmp_path / "beside.py").write_text(f"{effect}\ndef helped(): ...\n")
    (tmp_path / "json.py").write_text(effect)
    (tmp_path / "numpy.py").write_text(effect)
    codes = [
        f"{effect}import beside\nbeside.",
        f"{effect}import json\njson.",
        f"import numpy as np\n{effect}np.",
        "import pyarrow.lib\npyarrow.lib.",
        "import _json, safetensors\nsafetensors._safetensors_rust.",
    ]
    ends = [(code.count("\n") + 1, len(code.split("\n")[-1])) for code in codes]
    questions = [
        {"id": i, "code": code, "root": str(tmp_path), "line": line, "column": column}
        for i, (code, (line, column)) in enumerate(zip(codes, ends, strict=True))
    ]
    asked = "".join(json.dumps(question) + "\n" for question in questions)
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{SPY}"]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, cwd=tmp_path, check=True)
    *told, spied = map(json.loads, done.stdout.splitlines())
    assert [answer["id"] for answer in told] == list(range(len(codes)))
    assert told[0]["names"][0] == "helped"
    assert "dumps" in told[1]["names"]
    assert not (tmp_path / "ran").exists()
    assert spied == {"imported": [], "path": True}
    assert done.stderr == ""


def test_what_it_keeps_lies_in_a_private_folder(tmp_path: Path) -> None:
    """jedi keeps pickles, which whoever can write them could have run code with."""
    question = {"id": 1, "code": "import csv\ncsv.", "root": str(tmp_path), "line": 2, "column": 4}
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{SPY}"]
    environment = {**os.environ, "RYVEN_LLM_STATE": str(tmp_path / "state")}
    subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=True, env=environment)
    assert list((tmp_path / "state" / "jedi").rglob("*.pkl"))
    assert (tmp_path / "state" / "jedi").stat().st_mode & 0o777 == 0o700


def test_an_error_of_jedi_is_told_and_the_next_question_answered(tmp_path: Path) -> None:
    wrong = {"id": 1, "code": "x", "root": str(tmp_path), "line": 99, "column": 0}
    right = {"id": 2, "code": "impor", "root": str(tmp_path), "line": 1, "column": 5}
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{SPY}"]
    asked = f"{json.dumps(wrong)}\n{json.dumps(right)}\n"
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    first, second, _ = map(json.loads, done.stdout.splitlines())
    assert (first["names"], second["names"][0]) == ([], "import")
    assert done.stderr.startswith("no completions: jedi raised ValueError: ")
