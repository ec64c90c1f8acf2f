"""Rewards written from parameters: what their text scores, what they need, and what is said where that is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import BASE, draw, node, problems, program

from ryven_llm_nodes.catalogue import (
    GRPO,
    CombineRewards,
    ExactMatch,
    InlineTable,
    Keywords,
    LengthReward,
    LLMNode,
    MathAccuracy,
    OverlongPunishment,
    PatternMatch,
    RepetitionPenalty,
    RewardFunction,
    ThinkFormat,
    Threshold,
    ValidJSON,
)
from ryven_llm_nodes.run import Event, Outcome
from ryven_llm_nodes.run.examine.here import here_problems

Run = Callable[..., tuple[Outcome, list[Event]]]


def scored(kind: type[LLMNode], completions: list[Any], given: dict[str, Any], **columns: Any) -> list[float | None]:
    """What the text of a node scores, as it stands in the script."""
    cell = program(draw(score=node(kind, **given)), Path()).cells["score"]
    namespace: dict[str, Any] = {}
    exec("\n".join((*cell.imports, cell.definition)), namespace)
    return list(namespace["score"](completions=completions, prompts=[""] * len(completions), **columns))


def chat(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "assistant", "content": text}] for text in texts]


@pytest.mark.parametrize(
    ("given", "column", "completions", "scores"),
    [
        ({}, ["4", "4", 4, "4.0", None], [" 4\n", "5", "4", "4", "x"], [1, 0, 1, 1, None]),
        (
            {"pattern": r"answer is (\S+)"},
            ["4"] * 3,
            ["The answer is 4", "4", "answer is 3, no: answer is 4"],
            [1, 0, 1],
        ),
        ({"pattern": r"\d+"}, ["4"], ["it is 3, or 4"], [1]),
        ({}, ["1,000", "Paris", "1e3"], ["1000", "paris", "1000"], [1, 0, 0]),
        ({"ignore_case": True}, ["Paris"], ["paris "], [1]),
    ],
)
def test_exact_match(given: dict[str, Any], column: list[Any], completions: list[str], scores: list[Any]) -> None:
    assert scored(ExactMatch, completions, given, answer=column) == scores
    assert scored(ExactMatch, chat(*completions), given, answer=column) == scores
    for name in ("the answer", "class", "zip", "pairs", "ﬁ"):
        assert scored(ExactMatch, completions, {**given, "column": name}, **{name: column}) == scores


@pytest.mark.parametrize(
    ("kind", "given", "completions", "scores"),
    [
        (PatternMatch, {"pattern": r"\d$"}, ["a 1", "1 a"], [1, 0]),
        (PatternMatch, {"pattern": "A.*", "where": "all"}, ["A\nb", "bA", "a"], [1, 0, 0]),
        (PatternMatch, {"pattern": "A", "ignore_case": True}, ["a"], [1]),
        (ValidJSON, {}, ['{"a": 1}', "[1]", "{", '```json\n{"a": 1}\n```', "[" * 100_000], [1, 0, 0, 1, 0]),
        (ValidJSON, {"keys": ["a"]}, ['{"a": 1}', '{"b": 1}'], [1, 0]),
        (
            LengthReward,
            {"at_least": 2, "at_most": 4},
            ["a", "a b", "a b c d", "a b c d e f", "a " * 9],
            [0.5, 1, 1, 0.5, 0],
        ),
        (LengthReward, {"unit": "characters", "at_least": 0, "at_most": 2}, ["", "ab", "abc"], [1, 1, 0.5]),
        (Keywords, {"wanted": ["so", "as a"]}, ["So, as a b", "also", "so"], [1, 0, 0.5]),
        (Keywords, {"wanted": ["so"], "unwanted": ["no", "never"]}, ["so, no", "no, never"], [0.5, -1]),
        (Keywords, {"wanted": [], "unwanted": ["No"], "ignore_case": False}, ["No", "no"], [-1, 0]),
        (ThinkFormat, {}, ["<think>\na\n</think>\nb", "b"], [1, 0]),
    ],
)
def test_what_is_scored(
    kind: type[LLMNode], given: dict[str, Any], completions: list[str], scores: list[float]
) -> None:
    assert scored(kind, completions, given) == pytest.approx(scores)
    assert scored(kind, chat(*completions), given) == pytest.approx(scores)


@pytest.mark.parametrize(
    ("kind", "given", "lengths", "scores"),
    [
        (LengthReward, {"unit": "tokens", "at_least": 2, "at_most": 3}, [[1], [1, 2], [1] * 6], [0.5, 1, 0]),
        (RepetitionPenalty, {"ngram_size": 2}, [[1, 2, 3, 4], [5] * 5], [0, -0.75]),
        (
            OverlongPunishment,
            {"max_completion_len": 8, "soft_punish_cache": 4},
            [[1] * 4, [1] * 6, [1] * 9],
            [0, -0.5, -1],
        ),
    ],
)
def test_tokens_are_scored(kind: type[LLMNode], given: dict[str, Any], lengths: Any, scores: list[float]) -> None:
    assert scored(kind, [""] * len(lengths), given, completion_ids=lengths) == pytest.approx(scores)


@pytest.mark.parametrize(
    ("mode", "scores"),
    [("pass", [1, 0, None, 1]), ("keep", [0.75, 0, None, 0.5]), ("penalize", [0.75, -0.25, None, 0.5])],
)
def test_threshold(mode: str, scores: list[float | None]) -> None:
    code = "def f(completions, **kwargs):\n    return [0.75, 0.25, None, 0.5]"
    drawn = draw("f -> limit", f=node(RewardFunction, code=code), limit=node(Threshold, mode=mode))
    built = program(drawn, Path())
    (part,) = built.cells["limit"].values["reward"].parts
    namespace: dict[str, Any] = {}
    exec("\n".join((*part.imports, built.cells["f"].definition)), namespace)
    limited = eval(part.expression, namespace)  # noqa: S307 - our own text
    assert limited(completions=[""] * 4) == scores
    assert limited.__name__ == "limit"


def grpo(reward: Any, rows: str = '{"prompt": "2 + 2", "answer": "4"}\n' * 4) -> Any:
    trainer = node(GRPO, **flows.ROLLOUT, num_generations=2, reward_threshold=None)
    nodes = {"base": BASE, "rows": node(InlineTable, rows=rows), "score": reward, "grpo": trainer}
    return draw("base -> grpo, rows -> grpo, score -> grpo", **nodes)


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (node(ExactMatch, pattern="("), "Exact Match 'score' > pattern: is not a regular expression: missing )"),
        (node(PatternMatch, pattern="["), "Pattern Match 'score' > pattern: is not a regular expression"),
        (node(LengthReward, at_least=9, at_most=8), "Length Reward 'score' > at_most: must be at least the shortest"),
        (node(Keywords, wanted=[]), "Keywords 'score' > wanted: is empty, as is unwanted; name at least one word"),
        (node(Keywords, wanted=[" "]), "Keywords 'score' > wanted: contains an empty word; remove it."),
        (
            node(OverlongPunishment, max_completion_len=8, soft_punish_cache=9),
            "Overlong Punishment 'score' > soft_punish_cache: must be at most max_completion_len, 8, got 9.",
        ),
        (
            node(ExactMatch, column="solution"),
            "GRPO 'grpo' > dataset: the reward 'score' reads the column 'solution'; the dataset has 'prompt', 'answer'",
        ),
    ],
)
def test_complaint(reward: Any, message: str, data: Path) -> None:
    (wrong,) = problems(grpo(reward), data)
    assert wrong.startswith(message)


def test_a_threshold_is_of_one_reward(data: Path) -> None:
    nodes = {"a": node(ThinkFormat), "b": node(ThinkFormat), "mix": node(CombineRewards), "limit": node(Threshold)}
    (wrong,) = problems(draw("a -> mix, b -> mix, mix -> limit", **nodes), data)
    assert wrong == "Threshold 'limit' > reward: must be one reward, got 2; connect this before Combine Rewards."


def test_a_package_that_is_missing_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = program(grpo(node(MathAccuracy, column="answer")), data)
    for is_there in (False, True):
        monkeypatch.setattr("ryven_llm_nodes.run.examine.here.find_spec", lambda name, found=is_there: found or None)
        assert [str(problem) for problem in here_problems(built)] == ([] if is_there else [MISSING])


MISSING = (
    "Math Accuracy 'score': needs the package math_verify, which is not installed here; "
    "pip install 'ryven-llm-nodes[math]'."
)


def test_it_is_tried_before_anything_trains(run: Run) -> None:
    rows = '{"prompt": "2 + 2", "answer": "4"}\n' * 4
    reward = node(RepetitionPenalty, max_penalty=-1.0)
    outcome, _ = run(grpo(reward, rows))
    assert outcome.error is None
    outcome, _ = run(grpo(node(MathAccuracy, column="answer"), rows))
    assert "needs the package math_verify" in str(outcome.error)
