"""The table of a sweep, and what the command line refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import flows
import pytest
from rich.console import Console
from typer.testing import CliRunner

from ryven_llm_nodes.catalogue import DPO, Sweep
from ryven_llm_nodes.cli import app
from ryven_llm_nodes.program import read_flow
from ryven_llm_nodes.program.project import set_values
from ryven_llm_nodes.program.sweeping.space import space_of
from ryven_llm_nodes.run.sweeping.study import Trial
from ryven_llm_nodes.run.sweeping.sweep import Plan, Result, plan
from ryven_llm_nodes.terminal.sweep import settings, show_sweep

TRIALS = [
    Trial(0, {"dpo.beta": 0.1}, "done", 0.5, seconds=61.0),
    Trial(1, {"dpo.beta": 0.3}, "failed", error="DPO 'dpo': [out] of memory.", seconds=2.0),
]


@pytest.fixture
def planned(data: Path, tmp_path: Path) -> Plan:
    return plan(space_of(flows.graph(flows.alone("dpo"), data), ["dpo.beta=0.1,0.3"]), "dpo.loss", tmp_path)


def shown(planned: Plan, as_json: bool) -> str:
    said = io.StringIO()
    show_sweep(planned, Result(TRIALS, TRIALS[0]), Console(file=said, width=100), as_json)
    return said.getvalue()


def test_the_trials_with_the_best_and_how_to_use_it(planned: Plan) -> None:
    lines = shown(planned, False).splitlines()
    assert lines[0].split() == ["#", "dpo.beta", "dpo.loss", "time"]
    assert lines[1].split() == ["1", "0.1", "0.5000", "1", "min", "1", "s", "best"]
    assert lines[2].split() == ["2", "0.3", "2", "s", "failed"]
    assert lines[3] == "trial 2: DPO 'dpo': [out] of memory."
    assert lines[4] == "best: trial 1: --set dpo.beta=0.1"


def test_as_json(planned: Plan) -> None:
    told = json.loads(shown(planned, True))
    assert told["direction"] == "maximize"
    assert told["best"]["values"] == {"dpo.beta": 0.1}
    assert told["trials"][1]["error"].endswith("memory.")


def test_values_are_quoted_for_the_shell() -> None:
    assert settings({"a.b": "two words", "a.c": True}) == "--set 'a.b=two words' --set a.c=true"


def test_the_best_values_are_written_and_all_else_stays(data: Path, tmp_path: Path) -> None:
    flow = flows.save({**flows.alone("dpo"), "of others": {"x": 1}}, tmp_path / "flow.json")
    before = json.loads(flow.read_text())
    set_values(flow, read_flow(flow), {"dpo.beta": 0.3, "dpo.learning_rate": 2e-5})
    after = json.loads(flow.read_text())
    (node,) = (n for n in after["flows"]["dpo"]["nodes"] if n["identifier"].endswith("DPO"))
    assert (node["additional data"]["params"].pop("beta"), node["additional data"]["params"]["learning_rate"]) == (
        0.3,
        2e-5,
    )
    node["additional data"]["params"]["learning_rate"] = flows.FAST["learning_rate"]
    assert after == before
    assert json.loads((tmp_path / "flow.json.bak").read_text()) == before


def refused(*arguments: Any) -> str:
    said = CliRunner().invoke(app, ["sweep", *map(str, arguments)])
    assert said.exit_code == 2
    return " ".join(said.output.split())


def test_what_the_command_line_refuses(data: Path, tmp_path: Path) -> None:
    flow = flows.save(flows.alone("dpo"), tmp_path / "flow.json")
    varied = (flow, "--set", "dpo.beta=0.1,0.2", "--metric", "dpo.loss")
    assert "give maximize or minimize" in refused(*varied, "--direction", "up")
    assert "writes into a flow file" in refused(tmp_path, *varied[1:], "--apply")
    assert "has no parameter 'bet'" in refused(flow, "--set", "dpo.bet=1,2", "--metric", "dpo.loss")
    assert "the flow describes no sweep; add a Sweep node, or say what to vary" in refused(flow, "--metric", "dpo.loss")


def test_a_sweep_of_the_flow_is_followed_and_options_take_precedence(work: Path) -> None:
    search = flows.node(Sweep, vary="dpo.beta=0.1,0.2,0.3", metric="dpo.loss", direction="minimize", trials=1)
    dpo = flows.node(DPO, **flows.FAST)
    wires = "base -> dpo, rows -> dpo"
    drawn = flows.draw(wires, base=flows.BASE, rows=flows.ROWS["dpo"], dpo=dpo, search=search)
    flow = flows.save(drawn, work / "flow.json")
    arguments = ["sweep", str(flow), "--output-dir", str(work / "out"), "--json"]
    found = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert (found["metric"], found["direction"], len(found["trials"])) == ("dpo.loss", "minimize", 1)
    assert set(found["best"]["values"]) == {"dpo.beta"}
    more = json.loads(CliRunner().invoke(app, [*arguments, "--set", "dpo.beta=0.1,0.2,0.3", "--trials", "2"]).stdout)
    assert more["study"] == found["study"], "the node is no part of what is swept"
    assert [trial["state"] for trial in more["trials"]] == ["done", "done"]
