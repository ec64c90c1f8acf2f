"""The journeys: each is a function that does what its docstring says, by mouse and keys, with a picture per step."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import materials
from desk import Desk


@dataclass(frozen=True)
class Journey:
    """What someone wants, and how it is done at a desk; ``seen`` is told by the function."""

    title: str
    walk: Callable[[Desk], str]


def own_data(desk: Desk) -> str:
    """Someone starts the editor for the first time, and trains on a file of their own."""
    rows = materials.write_rows(desk.work / "sums.jsonl", materials.sums())
    model = materials.write_model(desk.work / "tiny-llama")
    desk.start("ryven-llm", "edit")
    desk.see("What do you want to train?")
    desk.picture("The start page, seconds after the first start")
    desk.drop(("text", "Or drop it here"), rows, model)
    desk.see("prompts with completions, for SFT")
    desk.picture("A file of rows and the folder of a model were dropped: a flow that fits both")
    desk.click("Run")
    desk.wait(lambda: desk.ask("stages").get("sft", ("", 0, 0))[1] > 0, "the first step of SFT")
    desk.arrived()
    desk.picture("The first optimizer steps")
    desk.wait(lambda: not desk.ask("running"), "the end of the run")
    desk.picture("Done")
    return f"It trains: {desk.ask('status')}."


def after_a_kill(desk: Desk) -> str:
    """The editor is killed while it trains; the training is resumed from its last checkpoint."""
    materials.save_training(desk.work, num_train_epochs=8.0, save_strategy="steps", save_steps=50)
    desk.start("ryven-llm", "edit", "sums.json")
    desk.click("Run")
    desk.wait(lambda: steps(desk, "sft") > 120, "step 120")
    desk.picture("It trains, with a checkpoint every 50 steps")
    desk.kill()
    at = time.monotonic()
    desk.start("ryven-llm", "edit", "sums.json")
    desk.picture("The editor was killed (SIGKILL), and is started again")
    desk.click("Run")
    desk.wait(lambda: steps(desk, "sft") > 0, "a further step")
    desk.arrived()
    back = time.monotonic() - at
    line = said(desk, "resumes from")
    desk.picture("Run: it continues from its last checkpoint")
    desk.wait(lambda: not desk.ask("running"), "the end of the run")
    desk.picture("Done: the curve of both parts")
    same = weights(desk.work / "outputs/sums/sft") == undisturbed(desk, "sums.json", "sft")
    return f"{back:.0f} s from the kill to the next step. The log: {line!r}. {equal(same)} an undisturbed run."


def take_the_script(desk: Desk) -> str:
    """Someone trains, and takes the script along."""
    materials.save_training(desk.work)
    desk.start("ryven-llm", "edit", "sums.json")
    desk.click("Run")
    desk.wait(lambda: "done after" in desk.ask("status"), "the end of the run")
    desk.picture("The run is done")
    desk.click("Generate Code")
    desk.see("lines of plain Python")
    desk.picture("Generate Code: all of it, to read")
    desk.click("Save as .py ...")
    desk.see("File name:")
    desk.picture("Save as .py: next to the flow, under its name")
    desk.key("Return")
    desk.see("Wrote")
    desk.arrived()
    desk.picture("Written")
    desk.click("Close")
    desk.shell("python", "sums.py", "--output-dir", "elsewhere")
    same = weights(desk.work / "outputs/sums/sft") == weights(desk.work / "elsewhere/sft")
    lines = (desk.work / "sums.py").read_text().count("\n")
    return f"{lines} lines. `python sums.py`, run afterwards: {equal(same)} the run in the editor."


def sent_by_someone(desk: Desk) -> str:
    """A flow that someone sent contains code: it is shown before it runs, and does not run unless that is allowed."""
    materials.save_sent(desk.work)
    trace = desk.work / "it-was-here"
    desk.start("ryven-llm", "edit", "sent.json")
    desk.picture("The flow is opened; nothing of it has run")
    desk.click("Check")
    desk.wait(lambda: desk.ask("status") not in ("", "checking..."), "the end of the check")
    desk.picture("A check does not run its code")
    desk.click("Run")
    desk.see("Review it.")
    desk.picture("Run: the question, with all code that is new here; Cancel is what Return means")
    desk.key("Return")
    desk.wait(lambda: "Not run" in desk.ask("log"), "a line of the log")
    assert not trace.exists()
    desk.arrived()
    desk.picture("Cancelled: nothing has run")
    desk.click("Run")
    desk.see("Review it.")
    desk.click("Run")
    desk.wait(lambda: "done after" in desk.ask("status"), "the end of the run")
    desk.picture("Allowed at the second attempt: it runs")
    assert trace.exists()
    return "The file that the reward function writes was there only after Run was chosen in the question."


# What is looked at afterwards


def steps(desk: Desk, stage: str) -> int:
    """The optimizer steps that are done."""
    return desk.ask("stages").get(stage, ("", 0, 0))[1]


def said(desk: Desk, word: str) -> str:
    """The line of the log that says ``word``."""
    lines = desk.wait(lambda: [line for line in desk.ask("log").splitlines() if word in line], f"{word!r} in the log")
    return lines[0].strip()


def weights(folder: Path) -> str:
    """The sha256 of a model's weights."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def undisturbed(desk: Desk, flow: str, stage: str) -> str:
    """The weights that a run from the command line gives, in another folder."""
    desk.shell("ryven-llm", "run", flow, "--output-dir", "undisturbed", "--trust")
    return weights(desk.work / "undisturbed" / stage)


def equal(same: bool) -> str:
    """In words."""
    return "The weights are bit for bit those of" if same else "THE WEIGHTS DIFFER from those of"


JOURNEYS: Final = {
    "own-data": Journey("First start to training on own data", own_data),
    "after-a-kill": Journey("Resume after a kill", after_a_kill),
    "script": Journey("Take the script", take_the_script),
    "sent": Journey("A flow that someone sent", sent_by_someone),
}
