"""By hand: the node Benchmark agrees with lm-evaluation-harness's own command, on a task of local rows.

It needs the extra ``eval``: ``python tests/benchmarks/bench_harness.py FOLDER``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import flows
from flows import node

from ryven_llm_nodes.catalogue import Benchmark
from ryven_llm_nodes.run import run_program

CHOICES = """task: own_choices
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""
PERPLEXITY = """task: own_texts
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{question}}}}"
metric_list: [{{metric: word_perplexity}}, {{metric: bits_per_byte}}]
"""


def write_tasks(folder: Path) -> Path:
    """Two tasks on the same forty rows."""
    rows = folder / "rows.jsonl"
    choices = ([f" {i}", f" answer {i}", " yes"] for i in range(40))
    lines = ({"question": f"what is {i}", "choices": c, "answer": i % 3} for i, c in enumerate(choices))
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    tasks = folder / "tasks"
    tasks.mkdir(exist_ok=True)
    for name, text in (("choices", CHOICES), ("texts", PERPLEXITY)):
        (tasks / f"{name}.yaml").write_text(text.format(rows=rows), encoding="utf-8")
    return tasks


def of_command(folder: Path, tasks: Path) -> dict[str, float]:
    """What the harness's own command reports."""
    model = f"pretrained={folder / 'model'},dtype=float32"
    out = folder / "own"
    command = [
        sys.executable,
        "-m",
        "lm_eval",
        "run",
        "--model",
        "hf",
        "--model_args",
        model,
        "--batch_size",
        "8",
        "--device",
        "cpu",
    ]
    command += ["--tasks", "own_choices,own_texts", "--include_path", str(tasks), "--output_path", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (file,) = out.rglob("results_*.json")
    found = json.loads(file.read_text())["results"]
    return {
        f"{task}/{key.split(',')[0]}": value
        for task, values in found.items()
        for key, value in values.items()
        if "," in key and "stderr" not in key
    }


def main(folder: Path) -> None:
    """Prints both values of each measure, and fails where they differ by more than 1e-5."""
    folder.mkdir(parents=True)
    flows.write_model(folder / "model")
    tasks = write_tasks(folder)
    asked = node(Benchmark, tasks="own_choices, own_texts", folder="tasks")
    outcome = run_program(flows.program(flows.draw("base -> b", base=flows.BASE, b=asked), folder), folder / "out")
    if outcome.error:
        raise outcome.error
    ours = json.loads((folder / "out" / "b" / "report.json").read_text())["model"]
    theirs = of_command(folder, tasks)
    for name, value in theirs.items():
        print(f"{name:30} {value:.10g} {ours[name]['value']:.10g}  [{ours[name]['low']:.4g}, {ours[name]['high']:.4g}]")
    assert {name for name in ours if "/" in name} == set(theirs)
    assert all(abs(ours[name]["value"] - value) <= 1e-5 * max(1, abs(value)) for name, value in theirs.items())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
