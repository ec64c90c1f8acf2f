"""The sweeps that nodes of a flow describe, and what is wrong with them before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import DPO, SFT, Evaluate, LoadDataset, Sweep
from ryven_llm_nodes.catalogue.sweep_settings import SweepSettings
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program.sweeping.declared import declared

BETAS = "dpo.beta=0.05,0.1,0.3"
RATES = "dpo.learning_rate=1e-6..1e-4:log"


def drawn(wired: bool = True, **sweep: Any) -> flows.Project:
    wires = "base -> sft, rows -> sft, sft -> dpo, pairs -> dpo, dpo -> check, pairs -> check"
    return flows.draw(
        wires + (", check -> search" if wired else ""),
        base=flows.BASE,
        rows=node(LoadDataset, path="sft.jsonl"),
        pairs=node(LoadDataset, path="pairs.jsonl"),
        sft=node(SFT, **flows.FAST),
        dpo=node(DPO, **flows.FAST),
        check=node(Evaluate),
        search=node(Sweep, **{"vary": BETAS, "metric": "preference_margin", **sweep}),
    )


def test_a_measure_alone_is_one_of_the_wired_evaluation(data: Path) -> None:
    text = f"  {BETAS}\n\n{RATES}\n"
    graph = flows.graph(drawn(vary=text, trials=6, direction="minimize", seed=3, prune="dpo.loss"), data)
    wanted = SweepSettings((BETAS, RATES), "check.preference_margin", False, 6, 3, "dpo.loss", "report")
    assert declared(graph).settings == declared(graph, "search").settings == wanted
    graph = flows.graph(drawn(metric="dpo.loss"), data)
    assert declared(graph).settings.metric == "dpo.loss"


def test_a_sweep_changes_neither_script_nor_keys(data: Path) -> None:
    from ryven_llm_nodes.run.store.keys import keys_of

    first, other = (flows.program(drawn(vary=text), data) for text in (BETAS, "dpo.beta=1,2"))
    texts = [flows.without_flow(program.script.text).splitlines() for program in (first, other)]
    assert [new for old, new in zip(*texts, strict=True) if old != new and "(sha256" not in old] == []
    assert not any("search" in line for line in texts[0])
    first_keys, other_keys = (keys_of(program) for program in (first, other))
    assert {name for name, key in first_keys.items() if key != other_keys[name]} == {"search"}


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"vary": ""}, "> vary: nothing to vary: give NODE.PARAM several values"),
        ({"metric": " "}, "> metric: is empty; say what to optimize."),
        ({"vary": "dpo.betta=1,2"}, "> vary: DPO 'dpo' has no parameter 'betta'. Did you mean 'beta'?"),
        ({"vary": "dqo.beta=1,2"}, "> vary: there is no node 'dqo'. Did you mean 'dpo'?"),
        ({"vary": "dpo.beta=0.1"}, "> vary: nothing to vary: give NODE.PARAM several values"),
        ({"vary": RATES}, "> trials: say how many trials to run: a range has no end of values."),
        ({"metric": "preference_margn"}, "> metric: Evaluate 'check' has no metric 'preference_margn'. Did you mean"),
        ({"metric": "sft.loss"}, "> metric: dpo.beta is varied, but 'sft.loss' does not depend on it."),
        ({"prune": "check.loss"}, "> prune: 'check.loss' can end no trial early: name a metric of a trainer"),
        ({"wired": False}, "> metric: names a measure, but no evaluation is connected; connect one, or write NODE"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(data: Path, sweep: dict[str, Any], message: str) -> None:
    (problem,) = flows.problems(drawn(**sweep), data)
    assert problem.startswith("Sweep 'search' " + message)


def test_one_without_values_is_none_yet(data: Path) -> None:
    assert flows.problems(drawn(vary=" ", metric=""), data) == []
    with pytest.raises(UsageError, match="Sweep 'search' describes no sweep: it says nothing to vary"):
        declared(flows.graph(drawn(vary="", metric=""), data), "search")


def test_which_sweep_is_meant(data: Path) -> None:
    graph = flows.graph(drawn(), data)
    with pytest.raises(UsageError, match="DPO 'dpo' describes no sweep"):
        declared(graph, "dpo")
    with pytest.raises(UsageError, match="the flow describes no sweep; add a Sweep node, or say what to vary"):
        declared(flows.graph(flows.alone("dpo"), data))
