"""Where the services that a trainer reports to (``report_to``) show its metrics."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from glob import glob
from pathlib import Path
from typing import Any, Final


def tracked(args: Any) -> Iterator[tuple[str, str]]:
    """Each service that a trainer with the configuration ``args`` reports to, and an address or a folder.

    Ask once it has logged: until then a service may not have begun. Of other services only the name is known.
    """
    for service in args.report_to if isinstance(args.report_to, list) else [args.report_to]:
        if service not in ("none", "all", None):
            yield service, PLACES.get(service, _unknown)(args)


def _tensorboard(args: Any) -> str:
    """The newest folder of logs."""
    own = os.environ.get("TENSORBOARD_LOGGING_DIR")
    found = [own] if own else glob(os.path.join(args.output_dir, "runs", "*"))
    return str(Path(max(found, key=os.path.getmtime)).absolute()) if found else ""


def _wandb(args: Any) -> str:
    return str(getattr(_run_of("wandb", "run"), "url", None) or "")


def _mlflow(args: Any) -> str:
    library = sys.modules.get("mlflow")
    run = library.active_run() if library else None
    return f"{library.get_tracking_uri()} (run {run.info.run_id})" if library and run else ""


def _trackio(args: Any) -> str:
    space = getattr(args, "trackio_space_id", None)
    return f"https://huggingface.co/spaces/{space}" if space else f'trackio show --project "{args.project}"'


def _run_of(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None)


def _unknown(args: Any) -> str:
    return ""


PLACES: Final[Mapping[str, Callable[[Any], str]]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "trackio": _trackio,
}
