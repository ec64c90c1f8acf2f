"""A fixed number of rows per optimizer step, on any number of processes."""

import os
from typing import Any


def with_global_batch(fields: dict[str, Any], rows: int) -> dict[str, Any]:
    """The `fields` of a configuration, with the gradient accumulation that makes `rows` rows per optimizer step.

    It follows from the number of processes that the launcher has started. Raises ValueError where they cannot share
    the rows equally.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    each = fields["per_device_train_batch_size"]
    if rows % (each * processes):
        raise ValueError(
            f"{rows} rows per optimizer step cannot be shared by {processes} processes that take {each} rows at once: "
            f"use a number of processes that divides {rows / each:g}, or another per_device_train_batch_size."
        )
    return {"gradient_accumulation_steps": rows // (each * processes), **fields}
