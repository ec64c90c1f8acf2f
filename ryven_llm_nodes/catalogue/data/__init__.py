"""Data: datasets that are made of others."""

from typing import Final

TITLE: Final = "Data"
