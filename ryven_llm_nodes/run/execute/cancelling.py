"""How a run is asked, from any thread, to stop, or to end a stage early."""

from __future__ import annotations

import threading


class CancelToken:
    """Asks one run to stop, or its stage to end. A new run takes a new token."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.now_event = threading.Event()
        self.keep_event = threading.Event()

    def cancel(self, now: bool = False) -> None:
        """Ask to stop, which cannot be undone: after the current optimizer step, with a checkpoint of it.

        ``now``: within one token of a generation, without a checkpoint.
        """
        if now:
            self.now_event.set()
        self.event.set()

    def keep(self) -> None:
        """Ask the running stage to end after this step, and to pass its model on as is."""
        self.keep_event.set()
