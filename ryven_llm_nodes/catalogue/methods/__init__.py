"""The training methods, a file each: whatever lies here is a node."""

from typing import Final

TITLE: Final = "Trainers"
