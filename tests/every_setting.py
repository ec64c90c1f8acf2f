"""Tries every setting of every trainer: legal and illegal values, two steps each, with a tiny model.

A value either trains to the end, or is refused by the check, or before anything is trained, in a line that names the
field. Anything else is a fault. The test takes a part by date; all of it is done by hand, and can be gone on with:

    python tests/every_setting.py TABLE.jsonl [--methods sft,dpo] [--fields beta,max_steps]
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

import flows

from ryven_llm_nodes.catalogue.parameters import UNKNOWN, Parameter
from ryven_llm_nodes.catalogue.training.trainer import Trainer

DONE, CHECK, BEFORE, OTHER = "done", "refused by the check", "refused before training", "other"
STOPPED, GUARD = "stopped before weights were spoilt", "not a number (NaN) at step"
"""A weight decay of 1e30 is legal, and stopped by the look at each step's gradient, which names the field."""
SECONDS: Final = 30
SLOW: Final = {"torch_compile": 240, "torch_compile_backend": 240, "torch_compile_mode": 240}
PATIENCE: Final = 6.0
"""Seconds after which a trial that trains is stopped: ``max_steps`` of a million is legal, and no fault."""
MEMORY: Final = 8 * 2**30
TINY: Final = {"sft": {}, "dpo": {}, "ppo": {"max_completion_length": 3}, "grpo": {"max_completion_length": 3}}
SMALL: Final = {"per_device_train_batch_size": 2, "max_steps": 2}
CONTINUOUS: Final = {"transformers_continuous_batching_config": {"max_memory_percent": 0.02}}
COMPANIONS: Final = {"use_transformers_continuous_batching": CONTINUOUS, "use_transformers_paged": CONTINUOUS}
"""What a field is tried with: continuous batching takes half the memory of the machine unless told otherwise."""
GROUP: Final = {"grpo": {"num_generations": 2, "reward_threshold": 0.5}}


@dataclass(frozen=True)
class Trial:
    """One value of one field of one method."""

    method: str
    field: str
    value: Any

    @property
    def key(self) -> str:
        return json.dumps([self.method, self.field, self.value])


@dataclass(frozen=True)
class Result:
    """How a trial ended, and what a user was told."""

    trial: Trial
    outcome: str
    told: str = ""


def fields_of(method: str) -> dict[str, Parameter]:
    """Everything that can be set on the trainer of ``method``."""
    kind: type[Trainer] = flows.TRAINERS[method][0]
    return dict(kind.all_parameters())


def values_of(parameter: Parameter) -> list[Any]:
    """Legal and illegal values, as its declaration suggests them."""
    values = [parameter.default] if parameter.default is not UNKNOWN else []
    for kind in parameter.types:
        values += _of_type(kind, parameter)
    values += [_wrong(parameter), ""]
    unique: dict[str, Any] = {json.dumps(value): value for value in values}
    return list(unique.values())


def _of_type(kind: type, parameter: Parameter) -> list[Any]:
    if kind is bool:
        return [True, False]
    if kind is type(None):
        return [None]
    if kind in (int, float):
        return _numbers(kind, parameter)
    if kind is list:
        return [[], [1.0], ["x"], [1.0, 2.0]]
    if kind is dict:
        return [{}, {"no_such_key": 1}]
    texts = [choice for choice in parameter.choices if isinstance(choice, str)]
    return [*texts, f"{texts[0]}x"] if texts else ["x", "no/such thing"]


def _numbers(kind: type, p: Parameter) -> list[Any]:
    """The bounds, what lies beyond them, and a few that are ordinary elsewhere."""
    step = 1 if kind is int else 0.25
    ends = [end for end in (p.at_least, p.above, p.at_most, p.below) if end is not None]
    values = [0, 1, 2, -1, 3, 2**40, *ends, *(end + step for end in ends), *(end - step for end in ends)]
    values += [0.5, 1.5, 1e30] if kind is float else []
    return [kind(value) for value in values]


def _wrong(parameter: Parameter) -> Any:
    """A value of a type that the field does not take."""
    candidates = ["text", 1, [1], {"a": 1}, True]
    kinds = parameter.types + ((int,) if float in parameter.types else ())
    return next((value for value in candidates if type(value) not in kinds), "text")


PROCESSES: Final = {"dataloader_num_workers": 2, "dataset_num_proc": 2}
"""Legal values above these are not tried: each is that many processes, which together fill the memory."""


def _is_bearable(parameter: Parameter, value: Any) -> bool:
    most = PROCESSES.get(parameter.name)
    return most is None or not isinstance(value, int) or value <= most or parameter.problem(value) is not None


def trials(methods: Iterable[str] = flows.METHODS, fields: Iterable[str] = ()) -> Iterator[Trial]:
    """Every trial, those of a field together."""
    wanted = set(fields)
    for method in methods:
        for name, parameter in fields_of(method).items():
            if not wanted or name in wanted:
                values = (value for value in values_of(parameter) if _is_bearable(parameter, value))
                yield from (Trial(method, name, value) for value in values)


# One trial


class Bench:
    """A folder with a tiny model and data, in which trials are run one after another."""

    def __init__(self, folder: Path) -> None:
        import torch

        torch.set_num_threads(1)
        self.folder = folder
        flows.write_data(folder)
        flows.write_model(folder / "model")
        gc.collect()
        gc.freeze()  # each stage collects garbage, which takes longer than to train it

    def run(self, trial: Trial) -> Result:
        """Checks, and trains, and tells."""
        from ryven_llm_nodes.errors import FlowError
        from ryven_llm_nodes.run import run_program
        from ryven_llm_nodes.run.examine.here import here_problems

        settings = {**SMALL, **TINY[trial.method], **GROUP.get(trial.method, {})}
        settings |= {**COMPANIONS.get(trial.field, {}), trial.field: trial.value}
        try:
            program = flows.program(flows.alone(trial.method, **settings), self.folder)
            if problems := list(here_problems(program)):
                raise FlowError(problems)
        except FlowError as error:
            return _refused(trial, CHECK, error)
        out, before = self.folder / "out", os.getcwd()
        out.mkdir()
        os.chdir(out)
        watch = _Patience(SLOW.get(trial.field, PATIENCE))
        try:
            outcome = run_program(program, out, watch, watch.token)
        finally:
            watch.timer.cancel()
            os.chdir(before)
            shutil.rmtree(out, ignore_errors=True)
        if outcome.status == "done" or (outcome.status == "cancelled" and watch.trains):
            return Result(trial, DONE, "" if outcome.status == "done" else "trained until it was stopped")
        if isinstance(outcome.error, FlowError):
            return _refused(trial, BEFORE, outcome.error)
        if GUARD in str(outcome.error) and f"{trial.field} (" in str(outcome.error):
            return Result(trial, STOPPED, str(outcome.error))
        return Result(trial, OTHER, f"{outcome.status}: {outcome.error}")


class _Patience:
    """Stops a trial that goes on training."""

    def __init__(self, seconds: float) -> None:
        from ryven_llm_nodes.run import CancelToken

        self.token, self.trains = CancelToken(), False
        self.timer = threading.Timer(seconds, self.token.cancel)
        self.timer.start()

    def __call__(self, event: Any) -> None:
        if type(event).__name__ == "Progress":
            self.trains = True
            if event.done > SMALL["max_steps"]:
                self.token.cancel()


def _refused(trial: Trial, how: str, error: Exception) -> Result:
    """Refused, if one of the lines names the field."""
    lines = str(error).split("\n")
    named = [line for line in lines if re.search(rf"\b{trial.field}\b", line)]
    return Result(trial, how, named[0]) if named else Result(trial, OTHER, f"not named: {lines[0]}")


# Many trials: in a process apart, which a trial may kill or keep


def run_all(todo: list[Trial], seconds: float = SECONDS) -> Iterator[Result]:
    """The results of ``todo``, in order. A trial that takes too long, or the process down, is one of its own kind."""
    position = 0
    while position < len(todo):
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        child = multiprocessing.get_context("spawn").Process(target=_work, args=(theirs, todo[position:]), daemon=False)
        child.start()
        theirs.close()
        try:
            ours.poll(300)
            ours.recv()  # libraries are loaded
            while position < len(todo) and ours.poll(max(seconds, SLOW.get(todo[position].field, 0))):
                yield ours.recv()
                position += 1
            if position < len(todo):
                yield Result(todo[position], OTHER, f"took longer than {seconds:g} s")
                position += 1
        except EOFError:
            yield Result(todo[position], OTHER, "the process died")
            position += 1
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid or 0, signal.SIGKILL)  # with the processes that it has started
            child.kill()
            child.join()


def _work(pipe: Any, todo: list[Trial]) -> None:
    os.setsid()
    multiprocessing.set_start_method("fork", force=True)  # as in a run: this process was spawned
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
        os.environ |= {"RYVEN_LLM_STATE": f"{folder}/state", "HF_HOME": f"{folder}/hf"}
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            import trl  # noqa: F401

            bench = Bench(Path(folder))
            pipe.send("ready")
            for trial in todo:
                pipe.send(bench.run(trial))


# By hand


def table(results: Iterable[Result]) -> str:
    """Fields, values, and outcomes by method; then everything that is neither done nor refused."""
    results = list(results)
    text = io.StringIO()
    print(
        "| method | fields | values | done | refused by check | refused before training | stopped | others |", file=text
    )
    print("|---|---|---|---|---|---|---|---|", file=text)
    for method in flows.METHODS:
        own = [result for result in results if result.trial.method == method]
        counts = Counter(result.outcome for result in own)
        fields = len({result.trial.field for result in own})
        row = (method, fields, len(own), counts[DONE], counts[CHECK], counts[BEFORE], counts[STOPPED], counts[OTHER])
        print("|", " | ".join(map(str, row)), "|", file=text)
    for result in results:
        if result.outcome == OTHER:
            print(f"{result.trial.method}.{result.trial.field}={result.trial.value!r}: {result.told}", file=text)
    return text.getvalue()


def _read(path: Path) -> list[Result]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Result(Trial(**line.pop("trial")), **line) for line in map(json.loads, lines)]


def main() -> None:
    """Goes on with the table that is given as the file of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--methods", default=",".join(flows.METHODS))
    parser.add_argument("--fields", default="")
    given = parser.parse_args()
    known = {result.trial.key for result in _read(given.table)}
    fields = [name for name in given.fields.split(",") if name]
    todo = [trial for trial in trials(given.methods.split(","), fields) if trial.key not in known]
    with given.table.open("a", encoding="utf-8") as file:
        for result in run_all(todo):
            print(json.dumps(asdict(result)), file=file, flush=True)
            if result.outcome == OTHER:
                trial = result.trial
                print(f"{trial.method}.{trial.field}={trial.value!r}: {result.told}"[:300], flush=True)
    print(table(_read(given.table)))


if __name__ == "__main__":
    main()
