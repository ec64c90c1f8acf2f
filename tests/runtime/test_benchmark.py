"""What is made of the results of lm-evaluation-harness, with a stand-in for it: it is not installed for the tests.

Agreement with the harness itself is shown by hand (tests/benchmarks/bench_harness.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import Benchmark, Compare
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.comparing.origins import read_report

RIGHT = {"before": [0, 1, 0, 0, 1, 0, 0, 1], "after": [1, 1, 0, 1, 1, 0, 1, 1]}
ASKED: list[tuple[Any, ...]] = []


def simple_evaluate(kind: str, settings: dict[str, Any], tasks: list[str], **options: Any) -> dict[str, Any]:
    """As the harness answers: the mean accuracy, a perplexity that is no mean, and one sample per row and filter."""
    ASKED.append((kind, settings, tasks, options))
    right = RIGHT["before" if settings["pretrained"].endswith("model") else "after"]
    samples = [{"doc_hash": f"h{i}", "filter": "none", "acc": one, "ppl": (0.5, 3)} for i, one in enumerate(right)]
    samples += [{"doc_hash": f"h{i}", "filter": "strict", "match": 1.0} for i in range(8)]
    values = {"acc,none": sum(right) / 8, "acc_stderr,none": 0.1, "match,strict": 1.0, "ppl,none": 7.5}
    return {"results": {"own": {"alias": "own", **values}}, "samples": {"own": samples}, "versions": {"own": 1.0}}


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the package lm_eval."""
    package, tasks = ModuleType("lm_eval"), ModuleType("lm_eval.tasks")
    package.simple_evaluate, package.tasks, package.__path__ = simple_evaluate, tasks, []
    tasks.TaskManager = lambda include_path: ("manager", include_path)
    monkeypatch.setitem(sys.modules, "lm_eval", package)
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", tasks)
    monkeypatch.setattr("ryven_llm_nodes.run.examine.here.is_installed", lambda module: True)
    ASKED.clear()


def drawn(**params: Any) -> flows.Project:
    settings = {"tasks": "own", "folder": "tasks", "limit": 8, "few_shot": 2, **params}
    nodes = {
        "before": node(Benchmark, **settings),
        "copy": node(flows.LoadModel, path="trained"),
        "after": node(Benchmark, **settings),
        "table": node(Compare),
    }
    wires = "base -> before.model, copy -> after.model, base -> after.baseline, before -> table, after -> table"
    return flows.draw(wires, "bench", base=flows.BASE, **nodes)


def test_its_values_with_intervals_of_the_rows_and_the_difference(harness: None, work: Path, tmp_path: Path) -> None:
    (work / "model").rename(work / "trained")
    flows.write_model(work / "model")
    (work / "tasks").mkdir()
    program = flows.program(drawn(), work)
    assert run_program(program, tmp_path).error is None
    report = read_report(tmp_path / "after")
    assert report["model"]["own/acc"]["value"] == 6 / 8
    assert report["model"]["own/acc"]["low"] < 6 / 8 < report["model"]["own/acc"]["high"]
    assert report["model"]["own/ppl"] == {"value": 7.5, "low": 7.5, "high": 7.5}
    assert report["model"]["own/match (strict)"]["value"] == 1
    assert report["difference"]["own/acc"]["value"] == 3 / 8
    kind, settings, tasks, options = ASKED[0]
    assert (kind, tasks, options["limit"], options["num_fewshot"]) == ("hf", ["own"], 8, 2)
    assert settings["dtype"] == "float32"
    assert options["task_manager"] == ("manager", str(work / "tasks"))
    table = (tmp_path / "table" / "report.md").read_text()
    assert "own/acc" in table


def test_it_is_made_again_where_a_task_has_changed(harness: None, work: Path, tmp_path: Path) -> None:
    (work / "tasks").mkdir()
    (work / "tasks" / "own.yaml").write_text("task: own\n")
    program = flows.program(
        flows.draw("base -> b", base=flows.BASE, b=node(Benchmark, tasks="own", folder="tasks")), work
    )
    for text, asked in (("task: own\n", 1), ("task: own\n", 1), ("task: own\nnum_fewshot: 1\n", 2)):
        (work / "tasks" / "own.yaml").write_text(text)
        assert run_program(program, tmp_path).error is None
        assert len(ASKED) == asked


def test_the_missing_package_is_named(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(flows.draw("base -> b", base=flows.BASE, b=node(Benchmark, tasks="own")), workspace)
    error = run_program(program, tmp_path).error
    assert "needs the package lm_eval, which is not installed here; pip install 'ryven-llm-nodes[eval]'" in str(error)


def test_a_folder_that_is_not_there(data: Path) -> None:
    drawn = flows.draw("base -> b", base=flows.BASE, b=node(Benchmark, tasks=" , ", folder="nowhere"))
    problems = flows.problems(drawn, data)
    assert any("names no task" in problem for problem in problems)
    assert any("'nowhere' does not exist" in problem for problem in problems)
