"""Reward functions are tried on two rows before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import flows
import pytest
from flows import node
from refusals import Run, refused

from ryven_llm_nodes.catalogue import GRPO, PPO, LoadDataset, RewardFunction
from ryven_llm_nodes.run import run_program


def with_reward(code: str) -> flows.Project:
    return flows.draw(
        "base -> grpo, rows -> grpo, mine -> grpo",
        base=flows.BASE,
        rows=flows.ROWS["grpo"],
        mine=node(RewardFunction, code=code),
        grpo=node(GRPO, **flows.ROLLOUT, num_generations=4),
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return [1 / 0 for _ in completions]", "line 2: ZeroDivisionError: division by zero."),
        ("return [1.0]", "mine() returned 1 rewards for 2 completions; return one number per completion."),
        ("return 1.0", "mine() returned 1.0; return a list with one number per completion."),
        ("return ['good'] * len(completions)", "mine() returned 'good' as a reward; return numbers, or None."),
        ("return [kwargs['topic']]", "line 2: KeyError: 'topic'."),
    ],
)
def test_a_reward_function_is_tried_on_two_rows(run: Run, body: str, message: str) -> None:
    (problem,) = refused(run, with_reward(f"def r(completions, **kwargs):\n    {body}\n"))
    assert problem.startswith("Reward Function 'mine' > code: ")
    assert message in problem


def test_the_trial_leaves_no_trace_in_the_run(run: Run, tmp_path: Path) -> None:
    """A function that counts its calls sees only those of the training."""
    body = "    calls.append(1)\n    return [float(len(calls))] * len(completions)\n"
    code = f"calls = []\n\ndef counts(completions, **kwargs):\n{body}"
    outcome, _ = run(with_reward(code))
    assert outcome.error is None
    first = json.loads((tmp_path / "out/grpo/metrics.jsonl").read_text().splitlines()[0])
    assert first["raw_reward"] == 1.0


def test_reward_functions_get_the_columns_of_their_data(run: Run, work: Path, tmp_path: Path) -> None:
    rows = ({"prompt": q, "wanted": len(q)} for q in flows.QUESTIONS)
    (work / "wanted.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code = "def w(completions, wanted, **kwargs):\n    return [float(x) for x in wanted]\n"
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, w -> ppo",
        base=flows.BASE,
        rows=node(LoadDataset, path="wanted.jsonl"),
        w=node(RewardFunction, code=code),
        ppo=node(PPO, **flows.ROLLOUT),
    )
    assert run_program(flows.program(drawn, work), tmp_path).error is None


def test_an_argument_that_no_column_gives_is_named(run: Run) -> None:
    code = "def mine(completions, topic, **kwargs):\n    return [1.0 for _ in completions]\n"
    (problem,) = refused(run, with_reward(code))
    assert problem.startswith("Reward Function 'mine' > code: mine() requires 'topic', but is passed only ")
    assert "'completions'" in problem
    assert "Add the column to the dataset, or give the argument a default." in problem


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("    return [float('x') for _ in completions]\n", "line 4: ValueError"),
        ("    return [sorted([1, 'a']) for _ in completions]\n", "line 4: TypeError"),
    ],
)
def test_lines_are_counted_as_the_user_sees_them(run: Run, body: str, message: str) -> None:
    """Blank lines before the code are left out of the script."""
    (problem,) = refused(run, with_reward(f"\n\r\ndef mine(completions, **kwargs):\n{body}"))
    assert f"> code: {message}" in problem


def test_the_line_of_a_call_that_fails_elsewhere(run: Run) -> None:
    """The innermost line of the code, not the last one of a larger number."""
    helper = "def helper(x):\n    return x['no']\n"
    code = f"{helper}\n\ndef mine(completions, **kwargs):\n    return [helper({{}}) for _ in completions]\n"
    (problem,) = refused(run, with_reward(code))
    assert "line 2: KeyError: 'no'." in problem


def test_a_reward_is_tried_on_the_evaluation_data_too(run: Run, work: Path, tmp_path: Path) -> None:
    (work / "named.jsonl").write_text("".join(json.dumps({"prompt": q, "topic": "x"}) + "\n" for q in flows.QUESTIONS))
    code = "def mine(completions, topic, **kwargs):\n    return [1.0 for _ in completions]\n"
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, mine -> ppo, more -> ppo.eval_dataset",
        base=flows.BASE,
        rows=node(LoadDataset, path="named.jsonl"),
        more=flows.ROWS["ppo"],
        mine=node(RewardFunction, code=code),
        ppo=node(PPO, **flows.ROLLOUT),
    )
    error = run_program(flows.program(drawn, work), tmp_path / "out").error
    assert "Reward Function 'mine' > code: mine() requires 'topic'" in str(error)
