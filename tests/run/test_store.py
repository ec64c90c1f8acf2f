"""Runs that keep by key: settings and flows that alternate in one folder, branches, moved folders, scripts, kills."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import children
import flows
import pytest
from rotation import turn
from typer.testing import CliRunner

from ryven_llm_nodes.catalogue import DPO, SFT, LoadModel, SaveModel
from ryven_llm_nodes.cli import app
from ryven_llm_nodes.run import CancelToken, Event, run_program
from ryven_llm_nodes.run.events import Log, Progress, RunStarted, StageReused
from ryven_llm_nodes.run.records.history import past_runs
from ryven_llm_nodes.run.store.kept import all_kept
from ryven_llm_nodes.run.store.links import entry_name

SAVED: dict[str, Any] = {"max_steps": 4, "save_strategy": "steps", "save_steps": 1}

KILLS = os.environ.get("RYVEN_LLM_KILLS")


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def run(drawn: flows.Project, root: Path, out: Path, **options: Any) -> tuple[list[str], list[Event]]:
    """Runs; the stages that were trained, and all events."""
    events: list[Event] = []
    assert run_program(flows.program(drawn, root), out, events.append, **options).error is None
    return list(dict.fromkeys(event.step for event in events if isinstance(event, Progress))), events


def branched() -> flows.Project:
    """SFT, and DPO twice on it: equal branches."""
    return flows.draw(
        "base -> sft, rows -> sft, sft -> one, pairs -> one, sft -> two, pairs -> two",
        base=flows.BASE,
        rows=flows.ROWS["sft"],
        pairs=flows.ROWS["dpo"],
        sft=flows.TRAINERS["sft"],
        one=flows.node(DPO, **flows.FAST),
        two=flows.node(DPO, **flows.FAST),
    )


def test_settings_that_alternate_are_trained_once_each(workspace: Path, tmp_path: Path) -> None:
    """Whatever the order, each has the bits of a run into a folder of its own."""
    rates = (1e-3, 2e-3, 3e-3)
    drawn = {rate: flows.alone("sft", learning_rate=rate) for rate in rates}
    alone = {}
    for rate in rates:
        run(drawn[rate], workspace, tmp_path / str(rate))
        alone[rate] = weights(tmp_path / str(rate) / "sft")
    assert len(set(alone.values())) == 3
    chance, seen = random.Random(7), set()
    for rate in [*rates[:2], rates[0], *chance.choices(rates, k=5)]:
        trained, _ = run(drawn[rate], workspace, tmp_path / "out")
        assert trained == ([] if rate in seen else ["sft"])
        seen.add(rate)
        assert weights(tmp_path / "out/sft") == alone[rate]
        assert weights(tmp_path / "out/final-model") == alone[rate]


def test_flows_that_alternate_in_one_folder(workspace: Path, tmp_path: Path) -> None:
    """A chain, whose SFT the other flow shares; its DPO is another, on the same model."""
    run(flows.chain(), workspace, tmp_path / "out")
    whole = {name: weights(tmp_path / "out" / name) for name in flows.METHODS}
    assert run(branched(), workspace, tmp_path / "out")[0] == ["one"]
    assert weights(tmp_path / "out/sft") == whole["sft"]
    assert run(flows.chain(), workspace, tmp_path / "out")[0] == []
    assert {name: weights(tmp_path / "out" / name) for name in flows.METHODS} == whole


def test_equal_branches_are_trained_once(workspace: Path, tmp_path: Path) -> None:
    trained, events = run(branched(), workspace, tmp_path)
    assert trained == ["sft", "one"]
    assert [event.step for event in events if isinstance(event, StageReused)] == ["two"]
    assert entry_name(tmp_path / "one") == entry_name(tmp_path / "two")
    trained, _ = run(branched(), workspace, tmp_path, fresh=True)
    assert trained == ["sft", "one"]


def test_the_record_tells_what_each_stage_is_kept_by(workspace: Path, tmp_path: Path) -> None:
    for rate in (1e-3, 2e-3):
        _, events = run(flows.alone("sft", learning_rate=rate), workspace, tmp_path)
    later, first = past_runs(tmp_path)
    digests = [past.stages["sft"]["digest"] for past in (first, later)]
    assert digests[0][:16] != digests[1][:16] == entry_name(tmp_path / "sft")
    assert all((tmp_path / "store" / digest[:16] / "model.safetensors").is_file() for digest in digests)
    folders = [past.folder_of("sft") for past in (first, later)]
    assert folders == [str(tmp_path / "store" / digests[0][:16]), str(tmp_path / "sft")]
    began = events[0]
    assert isinstance(began, RunStarted)
    assert began.record == str(later.folder)


def test_a_folder_that_was_moved_or_copied_is_used(workspace: Path, tmp_path: Path) -> None:
    run(flows.chain(), workspace, tmp_path / "out")
    os.rename(tmp_path / "out", tmp_path / "moved")
    assert run(flows.chain(), workspace, tmp_path / "moved")[0] == []
    subprocess.run(["cp", "-r", tmp_path / "moved", tmp_path / "copy"], check=True)
    assert run(flows.chain(), workspace, tmp_path / "copy")[0] == []
    shutil.rmtree(tmp_path / "moved")
    assert weights(tmp_path / "copy/grpo")


def run_script(drawn: flows.Project, root: Path, folder: Path, out: Path, *options: str, lean: bool = False) -> None:
    script = folder / "script.py"
    script.write_text(flows.program(drawn, root).script_for(folder, lean).text)
    before, sys.argv = sys.argv, [str(script), "--output-dir", str(out), *options]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = before


@pytest.mark.parametrize("saved", [{}, SAVED], ids=["final metrics", "every step"])
def test_a_script_in_the_folder_of_a_run(saved: dict[str, Any], workspace: Path, tmp_path: Path) -> None:
    """One of the same flow leaves what was there; of another one, nothing is taken for what the key says."""
    same, other = (flows.alone("sft", **saved, learning_rate=rate) for rate in (1e-3, 2e-3))
    run(same, workspace, tmp_path / "out")
    before = weights(tmp_path / "out/sft")
    run_script(same, workspace, tmp_path, tmp_path / "out")
    assert run(same, workspace, tmp_path / "out")[0] == []
    run_script(other, workspace, tmp_path, tmp_path / "out")
    of_script = weights(tmp_path / "out/sft")
    assert of_script != before
    trained, events = run(same, workspace, tmp_path / "out")
    assert trained == ["sft"]
    assert "sft: model.safetensors was modified after it was saved" in [e.text for e in events if isinstance(e, Log)]
    assert weights(tmp_path / "out/sft") == before
    assert weights(tmp_path / "out/sft-before") == of_script, "which somebody may want"


@pytest.mark.parametrize(
    "options", [(), ("--resume",), ("--resume", "--sft.learning_rate", "0.01"), ("lean",)], ids=" ".join
)
@pytest.mark.parametrize("is_stopped", [True, False], ids=["stopped", "finished"])
def test_whatever_a_script_does_there(
    is_stopped: bool, options: tuple[str, ...], workspace: Path, tmp_path: Path
) -> None:
    """It may change settings on its command line, or look for nothing; its flow has another learning rate, too."""
    drawn, other = (flows.alone("sft", **SAVED, learning_rate=rate) for rate in (1e-3, 2e-3))
    run(drawn, workspace, tmp_path / "whole")
    token = CancelToken()

    def listen(event: Event) -> None:
        if is_stopped and isinstance(event, Progress) and event.done == 2:
            token.cancel()

    run_program(flows.program(drawn, workspace), tmp_path / "out", listen, token)
    is_lean = options == ("lean",)
    run_script(other, workspace, tmp_path, tmp_path / "out", *(() if is_lean else options), lean=is_lean)
    run(drawn, workspace, tmp_path / "out")
    assert weights(tmp_path / "out/sft") == weights(tmp_path / "whole/sft")
    assert run(drawn, workspace, tmp_path / "out")[0] == []


def test_longer_training_leaves_the_shorter_one(workspace: Path, tmp_path: Path) -> None:
    short, longer = flows.alone("sft", **SAVED), flows.alone("sft", **SAVED, extra_steps=2)
    run(short, workspace, tmp_path / "out")
    before = weights(tmp_path / "out/sft")
    _, events = run(longer, workspace, tmp_path / "out")
    assert [event.done for event in events if isinstance(event, Progress)] == [4, 5, 6]
    run(longer, workspace, tmp_path / "alone")
    after = weights(tmp_path / "out/sft")
    assert after == weights(tmp_path / "alone/sft") != before
    for drawn, model in ((short, before), (longer, after)):
        assert run(drawn, workspace, tmp_path / "out")[0] == []
        assert weights(tmp_path / "out/sft") == model


def test_a_stage_as_the_model_of_another_flow(workspace: Path, tmp_path: Path) -> None:
    """Its name leads to other weights once its settings are others, and then what was made from it is made again."""
    further = flows.draw(
        "base -> more, rows -> more",
        base=flows.node(LoadModel, path=str(tmp_path / "out/sft")),
        rows=flows.ROWS["sft"],
        more=flows.node(SFT, **flows.FAST),
    )
    found = []
    for rate in (1e-3, 2e-3, 1e-3):
        run(flows.alone("sft", learning_rate=rate), workspace, tmp_path / "out")
        trained, _ = run(further, workspace, tmp_path / "further")
        found.append((trained, weights(tmp_path / "further/more")))
    assert [trained for trained, _ in found] == [["more"], ["more"], []]
    assert found[0][1] == found[2][1] != found[1][1]


def test_a_model_is_not_saved_over_a_stage_of_its_name(workspace: Path, tmp_path: Path) -> None:
    """A stage of another flow has the name that Save Model is to write to."""
    run(flows.alone("sft"), workspace, tmp_path)
    before = weights(tmp_path / "sft")
    saves = flows.draw(
        "base -> tune, rows -> tune, tune -> final",
        base=flows.BASE,
        rows=flows.ROWS["sft"],
        tune=flows.node(SFT, **flows.FAST | {"learning_rate": 0.1}),
        final=flows.node(SaveModel, folder="sft"),
    )
    run(saves, workspace, tmp_path)
    assert weights(tmp_path / "sft") == weights(tmp_path / "tune") != before
    trained, events = run(flows.alone("sft"), workspace, tmp_path)
    assert trained == []
    assert weights(tmp_path / "sft") == before
    assert [e.text for e in events if isinstance(e, Log) and "before" in e.text] == [
        f"sft: {tmp_path}/sft, which no run had made, was renamed to sft-before"
    ]


def test_what_is_listed_and_deleted(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for rate in (1e-3, 2e-3):
        run(flows.alone("sft", learning_rate=rate), workspace, tmp_path)
    listed = CliRunner().invoke(app, ["kept", "."]).stdout
    assert "│ sft (earlier) │ finished │" in listed
    now, earlier = sorted(all_kept(tmp_path), key=lambda kept: "earlier" in kept.title)
    earlier.delete()
    assert run(flows.alone("sft", learning_rate=2e-3), workspace, tmp_path)[0] == []
    now.delete()
    assert not os.path.lexists(tmp_path / "sft")
    assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(int(KILLS)) if KILLS else turn(range(4), 2))
def test_killed_while_another_setting_is_trained(number: int, workspace: Path, tmp_path: Path) -> None:
    """What was kept of the first is whole, and the second ends with the bits of an undisturbed run."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["trl.trainer.sft_trainer"])
    drawn = flows.alone("sft", **SAVED, learning_rate=2e-3)
    run(flows.alone("sft"), workspace, tmp_path / "out")
    first = weights(tmp_path / "out/sft")
    run(drawn, workspace, tmp_path / "whole")

    child = server.Process(target=children.run_to_the_end, args=(workspace, tmp_path / "out", drawn))
    child.start()
    began = time.monotonic()
    while len(list((tmp_path / "out/store").iterdir())) < 2 and time.monotonic() - began < 60:
        time.sleep(0.002)
    time.sleep(random.Random(number).uniform(0, 1.5))
    with suppress(ProcessLookupError):
        os.kill(child.pid or 0, signal.SIGKILL)
    child.join()

    assert run(flows.alone("sft"), workspace, tmp_path / "out")[0] == []
    assert weights(tmp_path / "out/sft") == first
    run(drawn, workspace, tmp_path / "out")
    assert weights(tmp_path / "out/sft") == weights(tmp_path / "whole/sft")
    assert json.loads((tmp_path / "out/sft/stage.json").read_text())["files"]
