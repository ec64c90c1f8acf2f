"""How long processes wait for each other."""

from datetime import timedelta
from typing import Any

from torch import distributed
from torch.distributed.distributed_c10d import _set_pg_timeout


def with_timeout(fields: dict[str, Any]) -> dict[str, Any]:
    """The `fields` of a configuration, whose `ddp_timeout` (seconds) holds from now on.

    A trainer gives it to processes that start to communicate. These have done so before: they decided which stages are
    finished.
    """
    if distributed.is_available() and distributed.is_initialized():
        _set_pg_timeout(timedelta(seconds=fields["ddp_timeout"]))
    return fields
