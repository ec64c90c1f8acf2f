"""Metrics and rollouts of the user's: what a check says of their code, and of the trainer that takes them."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import DPO, GRPO, SFT, LoadDataset, MetricsFunction, RolloutFunction, TrainRewardModel
from ryven_llm_nodes.catalogue.training import choices
from ryven_llm_nodes.catalogue.training.choices import arguments

SMALLER = """def smaller(logits, labels):
    return logits.argmax(-1)


def hits(prediction):
    return {"hits": 0.0}
"""


def measured(kind: type = SFT, held_out: bool = True, metrics: dict[str, Any] | None = None, **params: Any) -> Any:
    """A trainer with a metrics function."""
    wires = "base -> t, rows -> t.dataset, metrics -> t" + (", rows -> t.eval_dataset" if held_out else "")
    rows = node(LoadDataset, path="sft.jsonl" if kind is SFT else "pairs.jsonl")
    given = {"base": flows.BASE, "rows": rows, "metrics": node(MetricsFunction, **(metrics or {}))}
    return flows.draw(wires, **given, t=node(kind, **flows.FAST | params))


@pytest.mark.parametrize("kind", [SFT, DPO, TrainRewardModel])
def test_what_these_trainers_take_is_accepted(kind: type, data: Path) -> None:
    assert flows.problems(measured(kind), data) == []
    assert "compute_metrics=metrics" in flows.script(measured(kind), data)


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        (measured(held_out=False), "SFT 't' > metrics: is computed on evaluations: connect a dataset"),
        (measured(eval_strategy="no"), "SFT 't' > eval_strategy: is 'no', so that the metrics are never computed"),
        (measured(prediction_loss_only=True), "SFT 't' > prediction_loss_only: leaves no predictions"),
        (measured(batch_eval_metrics=True), "SFT 't' > batch_eval_metrics: needs a metrics function that also takes"),
        (
            measured(DPO, metrics={"code": SMALLER, "preprocess": "smaller"}),
            "DPO 't' > metrics: DPOTrainer of the installed TRL takes no preprocess_logits_for_metrics",
        ),
    ],
)
def test_metrics_that_would_not_be_computed(drawn: Any, said: str, data: Path) -> None:
    (problem,) = flows.problems(drawn, data)
    assert problem.startswith(said)


def test_a_function_that_is_called_once_per_batch(data: Path) -> None:
    code = "def hits(prediction, compute_result):\n    return {'hits': 0.0}"
    assert flows.problems(measured(metrics={"code": code}, batch_eval_metrics=True), data) == []


def test_smaller_logits_are_passed_on(data: Path) -> None:
    text = flows.script(measured(metrics={"code": SMALLER, "preprocess": "smaller"}), data)
    assert "compute_metrics=metrics, preprocess_logits_for_metrics=smaller" in " ".join(text.split())


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        (MetricsFunction, {"code": "x = 1"}, "> code: defines no function"),
        (MetricsFunction, {"code": "async def f(p): pass"}, "> code: f() is async, and TRL does not wait for it"),
        (MetricsFunction, {"code": "def f(): pass"}, "> code: f() must take 1 arguments: the prediction"),
        (MetricsFunction, {"code": "def f(p, *, q): pass"}, "> code: f() must take 1 arguments"),
        (MetricsFunction, {"function": "g"}, "> function: the code defines no function 'g'"),
        (MetricsFunction, {"preprocess": "g"}, "> preprocess: the code defines no function 'g'"),
        (RolloutFunction, {"code": "def f(prompts): pass"}, "> code: f() must take 2 arguments: the prompts, the tr"),
        (RolloutFunction, {"code": "def f(p, t, more): pass"}, "> code: f() must take 2 arguments"),
    ],
)
def test_code_that_the_trainer_could_not_call(kind: type, params: dict[str, Any], said: str, data: Path) -> None:
    (problem,) = flows.problems(flows.draw(n=node(kind, **params)), data)
    assert said in problem


@pytest.mark.parametrize("code", ["def f(p, t): ...", "def f(*a): ...", "def f(p, t=1, u=2): ...", "def f(p, *a): ..."])
def test_code_that_it_can_call(code: str, data: Path) -> None:
    assert flows.problems(flows.draw(n=node(RolloutFunction, code=code)), data) == []


@pytest.mark.parametrize("kind", [SFT, DPO, TrainRewardModel, GRPO])
def test_the_arguments_of_a_trainer_are_read_as_python_has_them(kind: Any) -> None:
    import trl

    (*made,) = inspect.signature(getattr(trl, kind.trainer).__init__).parameters
    assert list(arguments(kind.config.trainer_source, kind.trainer)) == made


def test_a_trainer_that_no_longer_takes_a_function(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = choices.source
    text = read("trl/trainer/grpo_trainer.py").replace("rollout_func:", "rollouts:")
    monkeypatch.setattr(choices, "source", lambda path: text if path.endswith("/grpo_trainer.py") else read(path))
    arguments.cache_clear()
    nodes = {"base": flows.BASE, "rows": flows.ROWS["grpo"], "own": node(RolloutFunction)}
    nodes["t"] = node(GRPO, **flows.ROLLOUT, num_generations=4)
    nodes["variety"] = flows.node(flows.RewardFunction, code=flows.REWARD)
    drawn = flows.draw("base -> t, rows -> t, variety -> t, own -> t", **nodes)
    try:
        assert flows.problems(drawn, data) == [
            "GRPO 't' > rollout: GRPOTrainer of the installed TRL takes no rollout_func; do without it."
        ]
    finally:
        arguments.cache_clear()
