"""Rewards: what completions are scored by."""

from typing import Final

TITLE: Final = "Rewards"
