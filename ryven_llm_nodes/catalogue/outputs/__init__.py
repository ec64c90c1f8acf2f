"""Outputs: where a pipeline ends."""

from typing import Final

TITLE: Final = "Outputs"
