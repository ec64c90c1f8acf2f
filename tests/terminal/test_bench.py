"""``ryven-llm bench``: what it prints, and that it asks before it runs code."""

from __future__ import annotations

import json
from pathlib import Path

import flows
from flows import BASE, FAST, ROLLOUT, draw, node
from typer.testing import CliRunner

from ryven_llm_nodes.catalogue import GRPO, SFT, CombineRewards, ExactMatch, InlineTable, RewardFunction
from ryven_llm_nodes.cli import app

CODE = """def mine(completions, **kwargs):
    print("seen", len(completions))
    return [1 / len(text) for text in completions]
"""


def saved(data: Path, folder: Path) -> Path:
    (folder / "model").symlink_to(data / "model")
    rewards = {"exact": node(ExactMatch), "own": node(RewardFunction, code=CODE), "total": node(CombineRewards)}
    nodes = {"base": BASE, "table": node(InlineTable, rows='{"prompt": "2 + 2", "answer": "4"}'), **rewards}
    wires = "exact -> total, own -> total, base -> grpo, table -> grpo, total -> grpo"
    grpo = node(GRPO, **ROLLOUT, num_generations=4, reward_threshold=None)
    return flows.save(draw(wires, **nodes, grpo=grpo), folder / "flow.json")


def bench(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["bench", *map(str, arguments)], env={"COLUMNS": "200"})
    return done.exit_code, done.output


def test_every_score_the_spread_and_the_failures_are_shown(data: Path, tmp_path: Path) -> None:
    flow, file = saved(data, tmp_path), tmp_path / "pasted.jsonl"
    file.write_text('{"completion": "4"}\n{"completion": ""}\n{"completion": "55"}\n')
    code, text = bench(flow, "total", "--completions", file, "--trust")
    assert code == 0, text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0].startswith("3 completions from ")
    assert "row prompt completion exact own total" in lines
    assert "1 1 4 1 1 2" in lines
    assert "3 1 55 0 0.5 0.5" in lines
    assert "error: own, row 2: line 3: ZeroDivisionError: division by zero." in lines
    assert lines[lines.index("own printed:") + 1 :][:2] == ["row 1: seen 1", "row 2: seen 1"]
    assert any(line.startswith("exact 1 0.333 0.471 ") for line in lines)


def test_as_json(data: Path, tmp_path: Path) -> None:
    flow, file = saved(data, tmp_path), tmp_path / "pasted.txt"
    file.write_text("7\n8\n")
    code, text = bench(flow, "exact", "--completions", file, "--trust", "--json")
    assert code == 0, text
    found = json.loads(text)
    assert found["rewards"][0]["scores"] == [0.0, 0.0]
    assert "learns nothing" in found["warnings"][0]


def test_code_that_was_not_allowed_is_not_run(data: Path, tmp_path: Path) -> None:
    flow, file = saved(data, tmp_path), tmp_path / "pasted.txt"
    file.write_text("7\n")
    flow.write_text(flow.read_text().replace("1 / len", "2 / len"))
    code, text = bench(flow, "own", "--completions", file)
    assert code == 2
    assert "runs Python code of its own, which you have not allowed yet" in text


def two_trainers(data: Path, folder: Path) -> Path:
    """A reward of two trainers, whose rows have other prompts and answers."""
    (folder / "model").symlink_to(data / "model")
    tables = {name: node(InlineTable, rows=f'{{"prompt": "{p}", "answer": "{a}"}}') for name, p, a in
              (("sums", "2 + 2", 4), ("products", "3 * 3", 9))}  # fmt: skip
    grpo = node(GRPO, **ROLLOUT, num_generations=4, reward_threshold=None)
    wires = "base -> one, sums -> one, exact -> one, base -> two, products -> two, exact -> two, base -> three"
    rows = node(InlineTable, rows='{"prompt": "a", "completion": "b"}')
    nodes = {"base": BASE, **tables, "rows": rows, "exact": node(ExactMatch), "one": grpo, "two": grpo}
    nodes["three"] = node(SFT, **FAST)
    return flows.save(draw(f"{wires}, rows -> three", **nodes), folder / "flow.json")


def test_a_trainer_is_chosen(data: Path, tmp_path: Path) -> None:
    flow, file = two_trainers(data, tmp_path), tmp_path / "pasted.txt"
    file.write_text("4\n9\n")
    for options, scores in (((), [1.0, 0.0]), (("--trainer", "one"), [1.0, 0.0]), (("--trainer", "two"), [0.0, 1.0])):
        code, text = bench(flow, "exact", "--completions", file, "--trust", "--json", *options)
        assert code == 0, text
        assert json.loads(text)["rewards"][0]["scores"] == scores


def test_a_trainer_that_the_reward_does_not_feed(data: Path, tmp_path: Path) -> None:
    flow = two_trainers(data, tmp_path)
    code, text = bench(flow, "exact", "--trainer", "three")
    assert code == 2
    assert "SFT 'three' does not score with Exact Match 'exact'. Those that do: one, two." in " ".join(text.split())
    code, text = bench(flow, "exact", "--trainer", "twoo")
    assert code == 2
    assert "there is no node 'twoo'" in text


def test_a_node_that_gives_no_reward(data: Path, tmp_path: Path) -> None:
    code, text = bench(saved(data, tmp_path), "table")
    assert code == 2
    assert "Inline Table 'table' gives no reward; name a node that does." in text
