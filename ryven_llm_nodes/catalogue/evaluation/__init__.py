"""Evaluation: what models are worth on held-out rows, and which is better."""

from typing import Final

TITLE: Final = "Evaluation"
