"""The process that answers the editor's questions about rows."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.run.examine.questions import COMMAND, bench_question, question
from ryven_llm_nodes.run.examine.serving import Server, serve


def asked(folder: Path, drawn: flows.Project, name: str, row: str = "", number: int = 1) -> dict[str, object]:
    graph = flows.graph(drawn, folder)
    return json.loads(json.dumps(question(graph, graph.by_name[name], number, row)))


def test_a_question_takes_only_what_the_node_needs(workspace: Path) -> None:
    """The reward of the chain is not among what is loaded for its DPO rows, nor is its code executed."""
    found = asked(workspace, flows.chain(), "dpo_rows")
    (flow,) = found["project"]["flows"].values()  # type: ignore[index]
    assert len(flow["nodes"]) == 1
    assert "variety" not in json.dumps(found)


def test_rows_of_a_dataset_and_of_a_trainer(workspace: Path) -> None:
    server = Server()
    (table,) = server.answer(asked(workspace, flows.chain(), "dpo_rows"))["shown"]
    assert table["total"] == 16
    of_all, of_row = server.answer(asked(workspace, flows.alone("dpo"), "dpo", "3"))["shown"]
    assert of_all["looked_at"] == 16
    assert of_row["row"] == 3
    assert [part for part, _ in of_row["sequences"]] == ["chosen", "rejected"]
    server.close()


def test_the_next_row_opens_nothing_anew(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ryven_llm_nodes.run.examine import serving

    times: list[object] = []
    original = serving.opened
    monkeypatch.setattr(serving, "opened", lambda program: times.append(program) or original(program))
    server = Server()
    for row in ("1", "5", "worst"):
        server.answer(asked(workspace, flows.alone("sft"), "sft", row))
    assert len(times) == 1
    server.answer(asked(workspace, flows.alone("sft", max_length=5), "sft"))
    assert len(times) == 2
    server.close()


def test_a_file_that_has_changed_is_read_again(work: Path) -> None:
    server, drawn = Server(), flows.alone("sft")
    server.answer(asked(work, drawn, "rows"))
    (work / "sft.jsonl").write_text('{"prompt": "new", "completion": "row"}\n')
    (table,) = server.answer(asked(work, drawn, "rows"))["shown"]
    assert (table["total"], table["rows"][0]["prompt"]) == (1, "new")
    server.close()


def test_problems_are_answers(work: Path) -> None:
    server = Server()
    answer = server.answer(asked(work, flows.alone("sft"), "sft", "99", number=7))
    assert answer == {"number": 7, "problems": ["SFT 'sft' has rows 1 to 16, and no row 99."]}
    (work / "sft.jsonl").unlink()
    assert "does not exist" in server.answer(asked(work, flows.alone("sft"), "sft"))["problems"][0]
    server.close()


def test_what_code_prints_is_no_answer(workspace: Path) -> None:
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, loud -> ppo",
        base=flows.BASE,
        rows=flows.ROWS["ppo"],
        loud=flows.node(flows.RewardFunction, code="print('loud')\n" + flows.REWARD),
        ppo=flows.TRAINERS["ppo"],
    )
    answers = StringIO()
    serve(StringIO(json.dumps(asked(workspace, drawn, "ppo")) + "\n"), answers)
    (line,) = answers.getvalue().splitlines()
    assert len(json.loads(line)["shown"]) == 2


def test_the_process_itself(workspace: Path) -> None:
    lines = "".join(json.dumps(asked(workspace, flows.alone("sft"), "rows", number=n)) + "\n" for n in (1, 2))
    run = subprocess.run([sys.executable, *COMMAND], input=lines, capture_output=True, text=True, check=True)
    assert [json.loads(line)["number"] for line in run.stdout.splitlines()] == [1, 2]


def test_a_question_about_scores_takes_the_trainer_that_was_chosen(workspace: Path) -> None:
    graph = flows.graph(flows.chain(), workspace)
    first, chosen = (bench_question(graph, graph.by_name["variety"], 1, None, name) for name in ("", "grpo"))
    assert (first["trainer"], chosen["trainer"]) == ("ppo", "grpo")
    assert "grpo_rows" in chosen["steps"]
    assert "grpo_rows" not in first["steps"]


def test_completions_are_told_before_they_are_scored(workspace: Path) -> None:
    graph = flows.graph(flows.alone("ppo"), workspace)
    asked = bench_question(graph, graph.by_name["variety"], 5, None, prompts=2, samples=1, tokens=2)
    answers = StringIO()
    serve(StringIO(json.dumps(asked) + "\n"), answers)
    partial, scored = map(json.loads, answers.getvalue().splitlines())
    assert (partial["number"], scored["number"]) == (5, 5)
    assert partial["partial"]["rewards"] == []
    assert partial["partial"]["completions"] == [one | {"total": None} for one in scored["scored"]["completions"]]
    assert len(scored["scored"]["rewards"][0]["scores"]) == 2


def test_pasted_completions_are_scored_and_named_so(workspace: Path) -> None:
    graph = flows.graph(flows.alone("ppo"), workspace)
    server = Server()
    for pasted, expected in (("", "the pasted text holds no completions"), ("ab\ncc", "")):
        asked = bench_question(graph, graph.by_name["variety"], 3, pasted)
        assert "final" not in asked["steps"]
        assert asked["trainer"] == "ppo"
        found = server.answer(json.loads(json.dumps(asked)))
        assert found["number"] == 3
        if expected:
            assert found["problems"][0].startswith(expected)
        else:
            assert found["scored"]["source"] == "the pasted text"
            assert found["scored"]["rewards"][0]["scores"] == [1.0, 0.5]
    server.close()
