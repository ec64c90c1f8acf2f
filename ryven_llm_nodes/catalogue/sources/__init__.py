"""Where a pipeline begins: models and datasets."""

from typing import Final

TITLE: Final = "Models and data"
