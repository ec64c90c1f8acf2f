"""Two reward functions, as a user would type them into the editor's Reward Function node.

They are kept as text because that is what the node takes. Both have TRL's signature, use the standard
library only, accept plain and conversational completions, and give a value from 0 to 1 that changes with
nearly every word, so that there is always something to learn from. Each is a product: an answer that gives up
one quality to get more of another (repeats the topic over and over, stops mid-sentence) loses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

PPO_REWARD_NAME = "on_topic"
PPO_REWARD_SOURCE = '''\
import re


def on_topic(completions, topic, **kwargs):
    """One finished sentence of 5 to 16 words that speaks of what the question names: 1.0. Garbage: 0."""
    scores = []
    for completion, name in zip(completions, topic):
        text = completion if isinstance(completion, str) else completion[-1]["content"]
        words = re.findall(r"[a-z]+", text.lower())
        parts = re.findall(r"[a-z]{2,}", re.sub(r"([A-Z][a-z])", r" \\1", name).lower()) or [name.lower()]
        said = sum(any(word[:4] == part[:4] for word in words) for part in parts) / len(parts)
        length = min(1.0, len(words) / 5, max(0.0, (32 - len(words)) / 16))
        finished = 1.0 if text.rstrip().endswith(".") else 0.4
        varied = len(set(words)) / max(1, len(words))
        scores.append((0.3 + 0.7 * said) * length * finished * varied)
    return scores
'''

GRPO_REWARD_NAME = "brief_and_on_topic"
GRPO_REWARD_SOURCE = '''\
import re


def brief_and_on_topic(completions, topic, **kwargs):
    """The same in 4 to 6 words: 1.0. Every further word costs a tenth."""
    scores = []
    for completion, name in zip(completions, topic):
        text = completion if isinstance(completion, str) else completion[-1]["content"]
        words = re.findall(r"[a-z]+", text.lower())
        parts = re.findall(r"[a-z]{2,}", re.sub(r"([A-Z][a-z])", r" \\1", name).lower()) or [name.lower()]
        said = sum(any(word[:4] == part[:4] for word in words) for part in parts) / len(parts)
        brief = min(1.0, len(words) / 4, max(0.0, (16 - len(words)) / 10))
        finished = 1.0 if text.rstrip().endswith(".") else 0.4
        varied = len(set(words)) / max(1, len(words))
        scores.append((0.5 + 0.5 * said) * brief * finished * varied)
    return scores
'''


def load_reward(source: str, name: str) -> Callable[..., Sequence[float]]:
    """The function `name` that `source` defines, for measuring with what the editor's node trains on."""
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(source, f"<{name}>", "exec"), namespace)  # noqa: S102  (our own text above)
    return namespace[name]
