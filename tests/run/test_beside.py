"""Reward code may import modules that lie beside the flow: in the run, in the next run, and in the script."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.loaded import LoadedProgram

CODE = "import helper_beside\n\n\ndef variety(completions, **kwargs):\n    return helper_beside.scores(completions)\n"
HELPER = "def scores(completions):\n    return [float(len(set(c)) {sign} 3) for c in completions]\n"


def drawn() -> flows.Project:
    project = flows.alone("ppo")
    placed = next(n for n in project["flows"]["ppo"]["nodes"] if n["additional data"]["name"] == "variety")
    placed["additional data"]["params"]["code"] = CODE
    return project


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "ppo/model.safetensors").read_bytes()).hexdigest()


def of_script(root: Path, folder: Path, output_dir: Path) -> str:
    folder.mkdir()
    script = folder / "script.py"
    script.write_text(flows.program(drawn(), root).script_for(folder).text)
    command = [sys.executable, str(script), "--output-dir", str(output_dir)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return weights(output_dir)


@pytest.mark.slow
def test_the_run_has_the_module_as_it_is_and_so_has_the_script(work: Path, tmp_path: Path) -> None:
    before = list(sys.path)
    results = []
    for sign in "%-":
        (work / "helper_beside.py").write_text(HELPER.format(sign=sign))
        outcome = run_program(flows.program(drawn(), work), tmp_path / "out")
        assert outcome.error is None
        results.append(weights(tmp_path / "out"))
        assert (sys.path, "helper_beside" in sys.modules) == (before, False), "it is none of this process's own"
    assert results[0] != results[1], "a module that changed is another key, and is read again"
    assert of_script(work, tmp_path / "far", tmp_path / "script") == results[1]


def test_a_module_of_the_same_second_and_size_is_read_again(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python itself would take what it has compiled before."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    module, scores = work / "helper_beside.py", []
    for sign in "%-":
        module.write_text(HELPER.format(sign=sign))
        os.utime(module, (10**9, 10**9))
        with LoadedProgram(flows.program(drawn(), work), tmp_path) as loaded:
            scores += loaded.module.__dict__["helper_beside"].scores(["ab"])
    assert scores == [2 % 3, 2 - 3]
