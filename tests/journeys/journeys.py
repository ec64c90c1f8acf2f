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
    desk.wait(lambda: steps(desk, "sft") > 0, "the first step of SFT")
    desk.arrived()
    desk.picture("The first optimizer steps")
    ended(desk)
    desk.picture("Done")
    return f"It trains; the run was {desk.ask('status')}."


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
    desk.wait(lambda: desk.ask("state", "SFT") == "can resume", "what the node says")
    desk.picture("The editor was killed (SIGKILL), and is started again: the node says where it resumes")
    desk.click("Run")
    desk.wait(lambda: steps(desk, "sft") > 0, "a further step")
    desk.arrived()
    back = time.monotonic() - at
    line = said(desk, "resumes from")
    desk.picture("Run: it continues from its last checkpoint")
    ended(desk)
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


def flat_reward(desk: Desk) -> str:
    """A reward does not vary, so nothing is learned: why, and what helps?"""
    materials.save_rewarded(desk.work)
    desk.start("ryven-llm", "edit", "rewarded.json")
    desk.click("Run")
    told = said(desk, "all rewards were equal")
    desk.picture("After 20 steps the run says in words what is wrong, in the log and at the node")
    desk.click("Completions")
    desk.see("Search prompts and completions")
    desk.picture("Completions: what was sampled, and the reward of each, which is 0")
    ended(desk)
    desk.click("node", "boxed")
    desk.click("Bench")
    desk.click("Sample and Score")
    desk.see("16 completions from")
    desk.picture("Bench: the reward alone, on fresh samples")
    desk.click("field", "boxed", "pattern")
    desk.key("ctrl+a")
    desk.type("[a-m]")
    desk.key("Tab")
    desk.click("Sample and Score")
    desk.wait(lambda: not any("the same score" in one for one in desk.ask("texts")), "other scores")
    desk.arrived()
    desk.picture("Another pattern: its rewards differ")
    desk.click("Run")
    desk.wait(lambda: desk.ask("running"), "the start of the run")
    ended(desk)
    desk.click("Metrics")
    desk.picture("The next run has a reward to learn from")
    return f"The log: {told!r}."


def two_rates(desk: Desk) -> str:
    """Which of two learning rates is better?"""
    materials.save_training(desk.work)
    desk.start("ryven-llm", "edit", "sums.json")
    desk.click("Run")
    desk.wait(lambda: "done after" in desk.ask("status"), "the end of the first run")
    desk.click("node", "sft")
    desk.click("field", "sft", "learning_rate")
    desk.key("ctrl+a")
    desk.type("0.01")
    desk.key("Tab")
    desk.picture("The first run is done; the learning rate is changed in the inspector")
    desk.click("Run")
    desk.wait(lambda: desk.ask("running"), "the start of the second run")
    ended(desk)
    desk.picture("The second run; the dashed curve is the first")
    desk.click("LLM")
    desk.click("Run History...")
    desk.see("Ctrl+click further runs")
    desk.key("shift+Down")
    desk.see("learning_rate")
    desk.arrived()
    desk.picture("Run History: both runs, what differs, and their curves over each other")
    return "The differing setting stands on top, next to the final loss of each run."


def before_and_after(desk: Desk) -> str:
    """What does the model say after the training, and what did it say before?"""
    materials.save_talking(desk.work)
    desk.start("ryven-llm", "edit", "talking.json")
    desk.click("Run")
    desk.wait(lambda: "done after" in desk.ask("status"), "the end of the run")
    desk.key("F8")
    desk.see("A message;")
    desk.wait(lambda: desk.ask("listening"), "the chat in front")
    desk.click("arrow", 1)
    desk.picture("Chat: the trained model on the left; the other is chosen")
    desk.click("base")
    desk.click("256")
    desk.key("ctrl+a")
    desk.type("32")
    desk.click("A message;")
    desk.type("What is 3 plus 4?")
    desk.key("Return")
    desk.see("Stop")
    desk.wait(lambda: "Send" in desk.ask("texts"), "both replies")
    desk.arrived()
    desk.picture("Both replies to one message")
    return "The trained model says what it was trained to say, the other random tokens."


def trl_yaml(desk: Desk) -> str:
    """Someone has a YAML file of TRL's command line, and wants to see and run it."""
    file = materials.write_configuration(desk.work)
    desk.start("ryven-llm", "edit")
    desk.see("What do you want to train?")
    desk.drop(("text", "Or drop it here"), file)
    desk.see("could not be taken over")
    desk.picture("Dropped on the start page: the flow, and what was not taken over, with the reason")
    desk.click("Close")
    desk.click("Run")
    desk.wait(lambda: steps(desk, "sft") > 0, "the first step of SFT")
    desk.arrived()
    ended(desk)
    desk.picture("It was run")
    return f"{len(desk.ask('nodes'))} nodes; {desk.ask('status')}."


def by_keys(desk: Desk) -> str:
    """SFT, then DPO, from nothing, without a mouse."""
    materials.write_rows(desk.work / "answers.jsonl", materials.sums(64))
    materials.write_rows(desk.work / "pairs.jsonl", materials.preferences())
    materials.write_model(desk.work / "tiny-llama")
    desk.start("ryven-llm", "edit")
    desk.see("What do you want to train?")
    desk.key("Return")
    desk.see("File name:")
    desk.type('"answers.jsonl" "pairs.jsonl"')
    desk.picture("Return on From Data, and two names")
    desk.key("Return")
    desk.see("preference pairs, for DPO")
    desk.picture("Both files are one flow: SFT, then DPO")
    desk.key("F5")
    desk.wait(lambda: "failed" in desk.ask("status"), "the end of the run")
    desk.picture("F5: the model that is proposed is not on this machine, which has no network")
    desk.key("F4")
    desk.wait(lambda: "SmolLM2" in desk.ask("focus"), "the focus in the field of the model")
    desk.key("ctrl+a")
    desk.type("tiny-llama")
    desk.key("Return")
    desk.picture("F4 went to the field; another model was typed")
    desk.key("ctrl+shift+p")
    desk.type("connect")
    desk.key("Return")
    desk.see("base.model -> dpo.reference")
    desk.type("reference")
    desk.picture("C on the canvas, or Find Command anywhere: the wires that fit; the pins of the marked one glow")
    desk.key("Return")
    desk.key("F5")
    desk.wait(lambda: steps(desk, "dpo") > 0, "the first step of DPO")
    desk.arrived()
    ended(desk)
    desk.picture("Both are trained")
    return "No click. From Data draws most wires; that of the reference model was drawn by keys."


def stock_ryven(desk: Desk) -> str:
    """Someone uses Ryven itself, and wants these nodes there."""
    rows = materials.write_rows(desk.work / "sums.jsonl", materials.sums())
    model = materials.write_model(desk.work / "tiny-llama")
    told = desk.shell("ryven-llm", "install")
    desk.start("ryven", "-q", "pyside6")
    desk.picture("Ryven's own first window")
    desk.click("OK")
    desk.wait(lambda: "File" in desk.ask("texts"), "the main window")
    desk.picture("Ryven, without these nodes")
    desk.click("File")
    desk.click("Import Nodes")
    desk.see("File name:")
    desk.type(str(desk.home / ".ryven/nodes/ryven_llm_nodes/nodes.py"))
    desk.picture("File > Import Nodes: the file that `ryven-llm install` named")
    desk.key("Return")
    desk.see("Search nodes ...")
    desk.picture("The nodes are there, with all that belongs to them")
    desk.key("ctrl+n")
    desk.drop(("text", "Or drop it here"), rows, model)
    desk.see("prompts with completions, for SFT")
    desk.key("F5")
    desk.wait(lambda: steps(desk, "sft") > 0, "the first step of SFT")
    desk.arrived()
    ended(desk)
    desk.picture("It trains in Ryven's window")
    return f"`ryven-llm install` said: {' '.join(told.replace(str(desk.home), '~').split())}"


# What is looked at afterwards


def steps(desk: Desk, stage: str) -> int:
    """The optimizer steps that are done."""
    return desk.ask("stages").get(stage, ("", 0, 0))[1]


def ended(desk: Desk) -> None:
    """Waits for the end of the run."""
    desk.wait(lambda: not desk.ask("running"), "the end of the run")


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
    "by-keys": Journey("SFT, then DPO, from nothing by keyboard only", by_keys),
    "flat-reward": Journey("Why does a reward not vary?", flat_reward),
    "two-rates": Journey("Two learning rates compared", two_rates),
    "chat": Journey("Chat before and after", before_and_after),
    "after-a-kill": Journey("Resume after a kill", after_a_kill),
    "trl-yaml": Journey("Import of a TRL YAML", trl_yaml),
    "script": Journey("Take the script", take_the_script),
    "sent": Journey("A flow that someone sent", sent_by_someone),
    "stock-ryven": Journey("Stock Ryven", stock_ryven),
}
