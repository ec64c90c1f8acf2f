"""Adapters: what is trained in place of all weights."""

from typing import Final

TITLE: Final = "Adapters"
