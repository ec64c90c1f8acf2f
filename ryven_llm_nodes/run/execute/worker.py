"""A process of its own that runs one stage, or a complete program.

It is ``python -m ryven_llm_nodes.run.execute.worker REQUEST [PROCESSES [CONFIG]]``. REQUEST is a file with what
``stage_request`` or ``run_request`` return (requests.py). The output is lines of JSON: events, and at the end
``{"end": ...}``; what libraries and the user's code print goes to the error output. The input is lines, too: ``stop``,
which is answered with ``{"heard": "stop"}``, ``now``, or ``keep``.

With PROCESSES it is torchrun that starts as many of these, with CONFIG accelerate; the first reports. The process ends
with the one that started it.
"""

from __future__ import annotations

import ctypes
import json
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

from ryven_llm_nodes.errors import Cancelled, LLMNodesError
from ryven_llm_nodes.program import Program, Step, build
from ryven_llm_nodes.program.environment import prepare_environment
from ryven_llm_nodes.program.project import graph_of_project
from ryven_llm_nodes.run.events import Event
from ryven_llm_nodes.run.execute.apart import in_processes
from ryven_llm_nodes.run.execute.cancelling import CancelToken
from ryven_llm_nodes.run.execute.failures import stage_error
from ryven_llm_nodes.run.execute.requests import MODULE, error_data
from ryven_llm_nodes.run.execute.runner import run_program
from ryven_llm_nodes.run.execute.stage import here
from ryven_llm_nodes.run.library_warnings import hearing
from ryven_llm_nodes.run.loaded import LoadedProgram

PR_SET_PDEATHSIG: Final = 1
"""Of Linux's prctl(2): the signal that a process gets when its parent ends."""
Say = Callable[[Mapping[str, Any]], None]


def _program_of(request: Mapping[str, Any]) -> Program:
    graph = graph_of_project(request["project"], Path(request["root"]), request["source"])
    return build(graph)


def _run_stage(request: Mapping[str, Any], tell: Callable[[Event], None], cancel: CancelToken) -> dict[str, Any]:
    """Runs one stage in the text that the other process has loaded, too."""
    program = _program_of(request)
    step = program.graph.by_name[request["step"]]
    if program.script.text != request["text"]:
        raise LLMNodesError(f"{step.label}: the script of the flow reads differently in a process of its own.")
    with hearing(tell), LoadedProgram(program, Path(request["output"])) as loaded:
        try:
            for name in _needed(program, step):
                loaded.run(name)
            return {"made": here(program, loaded, step, tell, cancel).ended_at}
        except Cancelled:
            return {"cancelled": True}
        except Exception as error:
            failure = stage_error(error, step, program, loaded)
            return {"error": error_data(failure), "details": traceback.format_exc()}


def _needed(program: Program, step: Step) -> list[str]:
    """The steps whose values ``step`` reads; those of finished stages are the names of their folders."""
    before = {one.name for one in program.graph.upstream([step.name]).steps} - {step.name}
    return [one.name for one in program.steps if one.name in before and one.name in program.script.statements]


def _run_program(request: Mapping[str, Any], tell: Callable[[Event], None], cancel: CancelToken) -> dict[str, Any]:
    options = dict(request["options"])
    if options.pop("isolated"):
        options["place"] = in_processes
    outcome = run_program(_program_of(request), Path(request["output"]), tell, cancel, **options)
    folders = {kind: {name: str(at) for name, at in getattr(outcome, kind).items()} for kind in ("models", "reports")}
    error = error_data(outcome.error) if outcome.error else None
    return {"status": outcome.status, "seconds": outcome.seconds, "error": error, **folders}


def _as_there(request: Mapping[str, Any]) -> None:
    """Computes as the process that asks would do, and shows no progress bars."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    if request["threads"] and request["processes"] == 1:
        torch.set_num_threads(request["threads"])


def _serve(request: Mapping[str, Any], say: Say, cancel: CancelToken) -> None:
    """Does what ``request`` asks for, and says how it ended."""
    work = _run_stage if "step" in request else _run_program
    _as_there(request)
    try:
        end = work(request, lambda event: say(event.to_data()), cancel)
    except LLMNodesError as error:
        end = {"error": error_data(error), "details": traceback.format_exc()}
    say({"end": end})


def _obey(orders: TextIO, say: Say, cancel: CancelToken) -> None:
    """Passes on what the other process asks for; ends this one when that is gone."""
    for line in orders:
        if line.strip() == "stop":
            cancel.cancel()
            say({"heard": "stop"})
        elif line.strip() == "now":
            cancel.cancel(now=True)
        elif line.strip() == "keep":
            cancel.keep()
    os._exit(1)


def _say_to(output: TextIO) -> Say:
    lock = threading.Lock()

    def say(message: Mapping[str, Any]) -> None:
        with lock:
            output.write(json.dumps(message) + "\n")
            output.flush()

    return say


def _own_output() -> TextIO:
    """The output of this process; what anything else prints there goes to the error output from now on."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _end_with_parent() -> None:
    """Ends this process, whatever it does, when its parent ends. Linux alone can do so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main(request: str, processes: str = "1", config: str = "") -> None:
    """Does what the file ``request`` asks for, in ``processes`` processes; accelerate starts them by ``config``."""
    _end_with_parent()
    prepare_environment()
    if config:
        sys.argv = ["accelerate", "--config_file", config, "--main_process_port", "0", "-m", MODULE, request]
        runpy.run_module("accelerate.commands.launch", run_name="__main__")
        return
    if int(processes) > 1:
        sys.argv = ["torchrun", "--standalone", f"--nproc_per_node={processes}", "-m", MODULE, request]
        runpy.run_module("torch.distributed.run", run_name="__main__")
        return
    say, cancel = _say_to(_own_output()), CancelToken()
    if "RANK" not in os.environ:
        threading.Thread(target=_obey, args=(sys.stdin, say, cancel), daemon=True).start()
    first = os.environ.get("RANK", "0") == "0"
    _serve(json.loads(Path(request).read_text("utf-8")), say if first else lambda message: None, cancel)
    os._exit(0)  # threads of the user's code, and of libraries, do not keep it


if __name__ == "__main__":
    main(*sys.argv[1:])
