"""The demo's reward functions: their range, and which answers they put first."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.demo import rewards
from ryven_llm_nodes.demo.rewards import load_reward

FUNCTIONS = {
    "ppo": load_reward(rewards.PPO_REWARD_SOURCE, rewards.PPO_REWARD_NAME),
    "grpo": load_reward(rewards.GRPO_REWARD_SOURCE, rewards.GRPO_REWARD_NAME),
}
GOOD = "Return the formatted list of lines."
TOPIC = "format_list"
WORSE = {
    "nothing": "",
    "not words": "```\n>>> 1 + 1\n```",
    "off the topic": "Send a request to some server.",
    "unfinished": "Return the formatted list of",
    "one word": "Format.",
    "repeated": "List list list list format format.",
    "endless": "Return the formatted list of lines, " + "and then some more of it, " * 8 + "which is all.",
}


@pytest.fixture(params=FUNCTIONS)
def score(request):
    return lambda text, topic=TOPIC: FUNCTIONS[request.param](completions=[text], topic=[topic])[0]


@pytest.mark.parametrize("what", WORSE)
def test_a_good_answer_scores_more(score, what):
    assert 0.0 <= score(WORSE[what]) < score(GOOD) - 0.2


def test_the_best_score_is_one(score):
    assert score("Return the formatted list.") == pytest.approx(1.0) or score(GOOD) == pytest.approx(1.0)
    assert score(GOOD) <= 1.0


def test_names_are_split_into_words(score):
    named, other = "Raised after a failed compression.", "Raised after a failed run."
    assert score(named, "CompressionError") > score(other, "CompressionError")
    assert score("Compute an integer square root.", "isqrt") > 0.0
    assert score("Return the letter of a drive.", "X") > 0.0


def test_conversational_completions_score_the_same(score):
    answer = [{"role": "assistant", "content": GOOD}]
    assert score(answer) == score(GOOD)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_score_a_completion_and_other_columns_do_not_matter(name):
    scores = FUNCTIONS[name](completions=[GOOD, ""], topic=[TOPIC, TOPIC], prompts=["a", "b"], log_metric=None)
    assert len(scores) == 2
    assert all(isinstance(score, float) for score in scores)


def test_a_brief_answer_is_worth_more_to_grpo():
    both = {
        "completions": [GOOD, "Return the formatted list of lines that were given to it."],
        "topic": [TOPIC] * 2,
    }
    brief, long = FUNCTIONS["grpo"](**both)
    assert brief > long
    brief, long = FUNCTIONS["ppo"](**both)
    assert brief == long
