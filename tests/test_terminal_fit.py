"""``ryven-llm fit``: what it prints, and that it asks before it runs code."""

from __future__ import annotations

import json
from pathlib import Path

import flows
from typer.testing import CliRunner

from ryven_llm_nodes.catalogue import RewardFunction
from ryven_llm_nodes.cli import app


def fit(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["fit", *map(str, arguments)], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout, done.stderr


def test_every_stage_part_by_part_and_the_memory_there_is(work: Path) -> None:
    flow = flows.save(flows.chain(), work / "flow.json")
    code, text, errors = fit(flow, "--trust")
    assert code == 0, errors
    titles, *rows, device = (line.split() for line in text.splitlines())
    assert titles[:3] == ["stage", "weights", "gradients"]
    assert [row[0] for row in rows] == list(flows.METHODS)
    assert device[-1] == "GB"


def test_as_json_in_bytes(work: Path) -> None:
    flow = flows.save(flows.alone("sft"), work / "flow.json")
    code, text, errors = fit(flow, "--json")
    assert code == 0, errors
    found = json.loads(text)
    (stage,) = found["stages"]
    assert stage["stage"] == "sft"
    assert stage["parts"]["optimizer"] == 2 * stage["parts"]["weights"]
    assert stage["fits"] == (stage["peak"] <= found["memory"])
    assert stage["measured"] is None


def test_code_is_not_run_without_being_asked_for(work: Path) -> None:
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, other -> ppo",
        base=flows.BASE,
        rows=flows.ROWS["ppo"],
        other=flows.node(RewardFunction, code=f"{flows.REWARD}# not reviewed by anyone\n"),
        ppo=flows.TRAINERS["ppo"],
    )
    code, _, errors = fit(flows.save(drawn, work / "flow.json"))
    assert code == 2
    assert "--trust" in errors
