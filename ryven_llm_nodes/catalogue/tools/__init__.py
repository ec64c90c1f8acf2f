"""Tools: what a model may call while it writes a completion."""

from typing import Final

TITLE: Final = "Tools"
