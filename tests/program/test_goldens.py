"""Whole scripts: two on file, which show what the cells of ``test_goldens_of_cells.py`` do not, and four that run.

``sft.py`` is the smallest whole script and ``weighted.py`` one with code of a user's and support code: header, order of
imports, environment, ``main``, what is printed, the command line. What chains, LoRA and odd names change is in the
small files; here those scripts run, as somebody runs them who has never heard of this package.

``UPDATE_GOLDENS=1 pytest tests/program/ -k goldens`` writes the large and the small ones anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flows import BASE, FAST, QUESTIONS, REWARD, ROLLOUT, ROWS, alone, chain, draw, neutral, node, script

from ryven_llm_nodes.catalogue import GRPO, SFT, CombineRewards, LoadDataset, RewardFunction, SaveModel

GOLDENS = Path(__file__).parents[1] / "goldens"
ODD_FILE = 'it\'s "odd" 😀.jsonl'
PUNCTUATION = '''import re

PATTERN = re.compile(r"[.!?]\\s*$")  # "quotes", 'quotes', back\\slash


def ends_well(completions, log_metric=None, **kwargs):
    """1 where a completion ends like a sentence:

    a second line, and a third:
        indented, 😀
    """
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    return [1.0 if PATTERN.search(text) else len(text) / 100 for text in texts]
'''


def weighted() -> Any:
    """GRPO with a threshold and two weighted rewards, one with an import and a constant of its own."""
    nodes = {
        "base": BASE,
        "rows": ROWS["grpo"],
        "variety": node(RewardFunction, code=REWARD),
        "ends_well": node(RewardFunction, code=PUNCTUATION),
        "mix": node(CombineRewards, weight_1=1.0, weight_2=0.5),
        "grpo": node(GRPO, **ROLLOUT, num_generations=4, reward_threshold=0.6),
    }
    return draw("variety -> mix, ends_well -> mix, base -> grpo, rows -> grpo, mix -> grpo", "weighted", **nodes)


def odd() -> Any:
    """Names and values with quotes, backslashes, line breaks and letters of all kinds."""
    nodes = {
        "Basis 'modèle'": BASE,
        'rows "\\"': node(LoadDataset, path=ODD_FILE, split="train[:8]"),
        "class\n😀": node(SFT, **FAST, run_name="a\\b \"c\" 'd'\ne", project="{x} %s \u2028 \x00 é"),
        "наконец": node(SaveModel, folder="a 'b' \"c\" \\ 😀"),
    }
    wires = "Basis 'modèle' -> class\n😀, rows \"\\\" -> class\n😀, class\n😀 -> наконец"
    return draw(wires, 'Ünï \'tïtle\' """ \\ \n 😀 {x} %(prog)s', **nodes)


FLOWS = {"sft": lambda: alone("sft"), "weighted": weighted, "chain_lora": lambda: chain(lora=True), "odd_names": odd}
ON_FILE = ("sft", "weighted")


@pytest.mark.parametrize("name", ON_FILE)
def test_the_script_is_the_one_on_file(name: str, data: Path) -> None:
    text, file = script(FLOWS[name](), data), GOLDENS / f"{name}.py"
    if os.environ.get("UPDATE_GOLDENS"):
        file.write_text(text, encoding="utf-8")
    assert neutral(text) == neutral(file.read_text(encoding="utf-8"))


def test_no_file_is_left_over() -> None:
    assert {file.stem for file in GOLDENS.glob("*.py")} == set(ON_FILE)


RUN_ALL = """
import runpy, sys
sys.modules["ryven_llm_nodes"] = None  # importing it is an error
for name in sys.argv[1:]:
    sys.argv = [name, "--output-dir", "out_" + name[:-3]]
    runpy.run_path(name, run_name="__main__")
"""


@pytest.mark.slow
def test_they_run_without_this_package(work: Path) -> None:
    """One process after the other would load the libraries four times."""
    rows = "".join(f'{{"prompt": "{q}", "completion": " answer"}}\n' for q in QUESTIONS)
    (work / ODD_FILE).write_text(rows, encoding="utf-8")
    names = [f"{name}.py" for name in FLOWS]
    for name, drawn in FLOWS.items():
        (work / f"{name}.py").write_text(script(drawn(), work), encoding="utf-8")
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-I", "-c", RUN_ALL, *names]
    done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    start = (work / "model" / "model.safetensors").read_bytes()
    for folder in ("out_sft/sft", "out_weighted/grpo", "out_chain_lora/grpo", "out_odd_names/a 'b' \"c\" \\ 😀"):
        assert (work / folder / "model.safetensors").read_bytes() != start
        assert (work / folder / "tokenizer.json").is_file()
    assert "final: out_sft/final-model" in done.stdout
