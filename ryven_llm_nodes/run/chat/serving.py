"""A process that speaks for one model: ``python -m ryven_llm_nodes.run.chat.serving MODEL``.

Each line of the input is JSON: ``{"number", "messages", "sampling"}`` asks for a reply, ``{"stop": true}`` ends the one
that is generated. Lines of the output: ``{"ready": {"converses"}}`` once the model is loaded, ``{"number", "piece"}``,
``{"number", "reply"}`` at the end of a reply, and ``{"number", "error"}``. The memory is free when the process ends.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import Any, Final, TextIO

from ryven_llm_nodes.program.environment import prepare_environment
from ryven_llm_nodes.run.chat.replies import Sampling, Speaker
from ryven_llm_nodes.system.causes import describe

COMMAND: Final = ("-m", "ryven_llm_nodes.run.chat.serving")
"""The arguments of Python that start such a process; the model follows."""
Say = Callable[[Mapping[str, Any]], None]


class _Inbox:
    """Reads requests while a reply is generated: a request to stop is followed at once."""

    def __init__(self, lines: TextIO) -> None:
        self.stop = threading.Event()
        self._asked: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines: TextIO) -> None:
        for line in lines:
            asked = json.loads(line)
            if asked.get("stop"):
                self.stop.set()
            else:
                self.stop.clear()
                self._asked.put(asked)
        self.stop.set()  # who asked is gone
        self._asked.put(None)

    def next(self) -> dict[str, Any] | None:
        """The next request; None at the end."""
        return self._asked.get()


def serve(model: str, lines: TextIO, output: TextIO) -> None:
    """Loads ``model`` and answers requests until there are no more. What libraries print goes to the error output."""

    def say(message: Mapping[str, Any]) -> None:
        output.write(json.dumps(message) + "\n")
        output.flush()

    with redirect_stdout(sys.stderr):
        inbox = _Inbox(lines)
        try:
            speaker = Speaker(model)
        except Exception as error:  # whatever a library raises for a model that it cannot load
            say({"error": describe(error)})
            return
        say({"ready": {"converses": speaker.converses}})
        while (asked := inbox.next()) is not None:
            say({"number": asked["number"], **_answer(speaker, asked, say, inbox.stop)})


def _answer(speaker: Speaker, asked: Mapping[str, Any], say: Say, stop: threading.Event) -> dict[str, Any]:
    number = asked["number"]
    try:
        sampling = Sampling(**asked["sampling"])
        reply = speaker.reply(asked["messages"], sampling, lambda text: say({"number": number, "piece": text}), stop)
    except Exception as error:  # shown in place of the reply; the next may work
        return {"error": describe(error)}
    return {"reply": asdict(reply)}


if __name__ == "__main__":
    prepare_environment()
    serve(sys.argv[1], sys.stdin, sys.stdout)
