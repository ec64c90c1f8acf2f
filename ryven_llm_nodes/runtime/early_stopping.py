"""Training that ends when its evaluations no longer improve, and leaves the best checkpoint as its model."""

from collections.abc import Callable
from pathlib import Path

from transformers import EarlyStoppingCallback, Trainer, TrainingArguments


def stop_early(
    train: Callable[..., Trainer], configure: Callable[[], TrainingArguments], checkpoints: Path, patience: int
) -> Trainer:
    """Train as configured, until `patience` evaluations in a row have not improved on the best one."""
    return train(configure(), EarlyStoppingCallback(patience))
