"""Code to start from: reward functions with TRL's signature, to be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DISTINCT_WORDS: Final = '''def reward(completions, **kwargs):
    """One number per completion: here, the fraction of distinct words in an answer."""
    scores = []
    for completion in completions:
        answer = completion if isinstance(completion, str) else completion[0]["content"]
        words = answer.split()
        scores.append(len(set(words)) / max(len(words), 1))
    return scores
'''
RIGHT_NUMBER: Final = '''import re


def reward(completions, answer, **kwargs):
    """1 where the last number of a completion is that of the column `answer`, and less the farther away it is."""
    scores = []
    for completion, right in zip(completions, answer):
        text = completion if isinstance(completion, str) else completion[-1]["content"]
        numbers = re.findall(r"-?\\d+(?:\\.\\d+)?", text.replace(",", ""))
        distance = abs(float(numbers[-1]) - float(right)) if numbers else None
        scores.append(0.0 if distance is None else 1 / (1 + distance))
    return scores
'''
STEPS: Final = '''import re

FORMAT = re.compile(r"<think>.+?</think>\\s*<answer>.+?</answer>\\s*", re.DOTALL)


def reward(completions, **kwargs):
    """1 for <think>...</think> <answer>...</answer>; a quarter for each of the four tags that is there once."""
    scores = []
    for completion in completions:
        text = completion if isinstance(completion, str) else completion[0]["content"]
        tags = sum(text.count(tag) == 1 for tag in ("<think>", "</think>", "<answer>", "</answer>"))
        scores.append(1.0 if FORMAT.fullmatch(text) else tags / 8)
    return scores
'''
TESTS: Final = '''import subprocess
import sys


def reward(completions, tests, **kwargs):
    """1 where the Python code of a completion passes the assertions in the column `tests`. It runs on this machine."""
    scores = []
    for completion, lines in zip(completions, tests):
        text = completion if isinstance(completion, str) else completion[0]["content"]
        code = text.split("```python")[-1].split("```")[0]
        try:
            done = subprocess.run([sys.executable, "-I", "-c", f"{code}\\n{lines}"], capture_output=True, timeout=5)
            scores.append(float(done.returncode == 0))
        except subprocess.TimeoutExpired:
            scores.append(0.0)
    return scores
'''
PARTS: Final = '''def reward(completions, log_metric=None, **kwargs):
    """Several criteria in one number, each logged by its name."""
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    parts = {
        "ends": [float(text.strip().endswith((".", "!", "?"))) for text in texts],
        "short": [float(len(text) < 200) for text in texts],
    }
    if log_metric is not None:
        for name, values in parts.items():
            log_metric(f"reward_parts/{name}", sum(values) / len(values))
    return [sum(values) / len(parts) for values in zip(*parts.values())]
'''
SERVER: Final = '''import asyncio
import json
import urllib.request

URL = "http://localhost:8000/score"


def ask(prompt, completion):
    """The number that a server answers with: {"score": 0.5}."""
    body = json.dumps({"prompt": prompt, "completion": completion}).encode()
    request = urllib.request.Request(URL, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return float(json.load(answer)["score"])


async def reward(prompts, completions, **kwargs):
    """Scores of a server, for all completions at once."""
    return await asyncio.gather(*(asyncio.to_thread(ask, p, c) for p, c in zip(prompts, completions)))
'''

GALLERY: Final[Mapping[str, str]] = {
    "Distinct words": DISTINCT_WORDS,
    "Right number": RIGHT_NUMBER,
    "Thinking, then answer": STEPS,
    "Code that passes tests": TESTS,
    "Several criteria, logged": PARTS,
    "A server that scores": SERVER,
}
"""The templates by what they do."""
