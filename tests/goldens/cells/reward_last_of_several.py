# %% Reward Function 'reward'
import re

PATTERN = re.compile(r"[.!?]\s*$")  # "quotes", 'quotes', back\slash, 😀


def first(completions, **kwargs):
    return [1.0 for _ in completions]


def reward(completions, **kwargs):
    """1 where a completion ends like a sentence:

        indented, é
    """
    return [float(bool(PATTERN.search(str(text)))) for text in completions]


def _helper(text):
    return text
