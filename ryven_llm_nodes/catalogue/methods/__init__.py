"""The training methods, one file each: every module here is a node."""

from typing import Final

TITLE: Final = "Trainers"
