"""Sweeps whose trials are runs: what they share is run once, failures are noted, and kill -9 loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node
from typer.testing import CliRunner

from ryven_llm_nodes.catalogue import DPO, SFT, Evaluate, LoadDataset
from ryven_llm_nodes.cli import app
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program import read_flow
from ryven_llm_nodes.program.sweeping.space import space_of
from ryven_llm_nodes.run.records.history import past_runs
from ryven_llm_nodes.run.store.alone import alone_in
from ryven_llm_nodes.run.sweeping.study import Study
from ryven_llm_nodes.run.sweeping.sweep import Plan, plan, sweep

BETAS = "dpo.beta=0.05,0.1,0.3"
RATES = "dpo.learning_rate=1e-4..1e-2:log"


def drawn() -> flows.Project:
    return flows.draw(
        "base -> sft, rows -> sft, sft -> dpo, pairs -> dpo, dpo -> check, pairs -> check, sft -> aside, rows -> aside",
        base=flows.BASE,
        rows=node(LoadDataset, path="sft.jsonl"),
        pairs=node(LoadDataset, path="pairs.jsonl"),
        sft=node(SFT, **flows.FAST),
        dpo=node(DPO, **flows.FAST),
        check=node(Evaluate),
        aside=node(Evaluate),
    )


def planned(work: Path, *settings: str, metric: str = "check.preference_margin", **options: Any) -> Plan:
    return plan(space_of(flows.graph(drawn(), work), settings), metric, work / "out", **options)


def states(out: Path, stage: str) -> Counter[str]:
    """How often a stage ended how, in all runs; by state."""
    return Counter(run.state(stage).split()[0] for run in past_runs(out) if stage in run.stages)


def test_what_trials_share_is_run_once_and_what_the_metric_does_not_need_never(work: Path) -> None:
    made = planned(work, "dpo.beta=0.05,0.3")
    found = sweep(made)
    assert [trial.values["dpo.beta"] for trial in found.trials] in ([0.05, 0.3], [0.3, 0.05])
    assert states(work / "out", "sft") == {"done": 1, "reused": 1}
    assert states(work / "out", "dpo") == {"done": 2}
    assert not states(work / "out", "aside")
    values = [trial.value for trial in found.trials]
    assert values[0] != values[1]
    assert found.best is not None
    assert found.best.value == max(v for v in values if v is not None)
    again = sweep(made)
    assert again == found
    assert states(work / "out", "dpo") == {"done": 2}, "nothing is left to do"


def test_a_failed_trial_is_noted_with_its_message_and_the_others_go_on(work: Path) -> None:
    found = sweep(planned(work, "pairs.path=pairs.jsonl,none.jsonl", metric="dpo.loss", maximize=False))
    by_value = {trial.values["pairs.path"]: trial for trial in found.trials}
    failed = by_value["none.jsonl"]
    assert (failed.state, failed.value) == ("failed", None)
    assert "Load Dataset 'pairs' > path" in failed.error
    assert by_value["pairs.jsonl"].state == "done"
    assert found.best == by_value["pairs.jsonl"]


def test_another_run_in_the_folder_costs_no_trial(work: Path) -> None:
    made = planned(work, "dpo.beta=0.1,0.2")
    with alone_in(work / "out"), pytest.raises(UsageError, match="another run is writing"):
        sweep(made)
    study = Study(made.folder, made.space, True, 0)
    assert [trial.state for trial in study.trials()] == ["unfinished"]


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ([BETAS], {"metric": "check"}, "write NODE.metric"),
        ([BETAS], {"metric": "chek.loss"}, "there is no node 'chek'. Did you mean 'check'?"),
        ([BETAS], {"metric": "pairs.loss"}, "Load Dataset 'pairs' measures nothing"),
        ([BETAS], {"metric": "check.preference_acuracy"}, "Did you mean 'preference_accuracy'?"),
        ([BETAS], {"metric": "sft.loss"}, "'sft.loss' does not depend on it"),
        ([RATES], {}, "say how many trials to run: a range"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    work: Path, settings: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        planned(work, *settings, **options)
    assert message in str(caught.value)
    assert not (work / "out").exists()


def test_a_metric_that_no_trial_has_ends_the_sweep_with_those_there_are(work: Path) -> None:
    with pytest.raises(UsageError, match=r"has no metric 'los'. Did you mean 'loss'\? It has .*rewards/margins"):
        sweep(planned(work, BETAS, metric="dpo.los"))
    assert states(work / "out", "dpo") == {"done": 1}


def test_a_study_is_that_of_a_flow_whatever_it_says_of_what_is_varied(work: Path) -> None:
    made = planned(work, BETAS)
    assert made.folder == planned(work, "dpo.beta=0.05,0.1,0.3", trials=2).folder
    assert made.folder != planned(work, BETAS, "dpo.max_steps=3").folder
    assert made.folder != planned(work, BETAS, seed=1).folder


def test_a_hopeless_trial_is_ended_and_the_best_of_the_others_counts(work: Path) -> None:
    """A learning rate of nearly 0 teaches nothing: its loss is worse than that of the others from the first step on."""
    rates = "dpo.learning_rate=" + ",".join(["1e-12", "1e-3", "2e-3", "3e-3", "4e-3", "5e-3"])
    settings = ["dpo.max_steps=3", rates]
    made = planned(work, *settings, metric="dpo.rewards/margins", live="dpo.rewards/margins", seed=1)
    found = sweep(made)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    assert all("dpo.rewards/margins was" in trial.error and trial.value is None for trial in pruned)
    assert found.best is not None
    assert found.best.state == "done"
    assert {trial.state for trial in found.trials} == {"done", "pruned"}
    assert found.importances == {"dpo.learning_rate": 1.0}
    assert sweep(made) == found


def test_what_cannot_be_watched_is_said(work: Path) -> None:
    with pytest.raises(UsageError, match=r"check\.preference_margin\' can end no trial early: name a metric of a"):
        planned(work, BETAS, live="check.preference_margin")


@pytest.mark.slow
def test_twelve_trials_with_a_kill_in_the_middle(work: Path) -> None:
    flow = flows.save(drawn(), work / "flow.json")
    metric = ["--metric", "dpo.rewards/margins", "--trials", "12", "--output-dir", str(work / "out")]
    command = ["sweep", str(flow), "--set", BETAS, "--set", RATES, *metric]
    killed = subprocess.Popen(
        [sys.executable, "-m", "ryven_llm_nodes.cli", *command], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert killed.stderr is not None
    begun = 0
    for line in killed.stderr:
        begun += line.startswith("trial ")
        if begun == 6 and line.startswith("DPO 'dpo'"):
            killed.send_signal(signal.SIGKILL)
            break
    killed.communicate()
    assert begun == 6

    said = CliRunner().invoke(app, [*command, "--apply", "--json"])
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert [trial["state"] for trial in told["trials"]] == ["done"] * 12
    assert states(work / "out", "sft")["done"] == 1
    trained = [run.stages["dpo"]["digest"] for run in past_runs(work / "out") if run.state("dpo") == "done"]
    assert len(trained) == len(set(trained)) == 12, "each once"
    assert len(past_runs(work / "out")) == 13, "twelve, and the one that was killed"
    best = read_flow(flow).by_name["dpo"].given
    assert {f"dpo.{name}": best[name] for name in ("beta", "learning_rate")} == told["best"]["values"]
    assert told["best"]["value"] == max(trial["value"] for trial in told["trials"])
