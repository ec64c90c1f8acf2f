"""How a run is asked to stop, or to end the stage that is training."""

from __future__ import annotations

import threading


class CancelToken:
    """Asks a run, from any thread, to stop: within one optimizer step, inside generation within one token."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.keep_event = threading.Event()

    def cancel(self) -> None:
        """Ask to stop. This cannot be undone: a new run takes a new token."""
        self.event.set()

    def keep(self) -> None:
        """Ask the running stage to end after this step, and to pass its model on as is."""
        self.keep_event.set()
