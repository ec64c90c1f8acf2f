"""Stages under their keys: whatever came between, what is used again is what the key says."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.store.decisions import mark
from ryven_llm_nodes.run.store.kept import all_kept, kept_in
from ryven_llm_nodes.run.store.keys import Key, keys_of
from ryven_llm_nodes.run.store.output import Output

STEPS = ("sft", "other")
FIRST = "checkpoints/checkpoint-1/trainer_state.json"


@pytest.fixture
def keys(data: Path) -> list[Key]:
    """Keys of three settings."""
    return [keys_of(flows.program(flows.alone("sft", learning_rate=rate), data))["sft"] for rate in (0.1, 0.2, 0.3)]


def opened(folder: Path) -> tuple[Output, list[str]]:
    said: list[str] = []
    folder.mkdir(exist_ok=True)
    return Output(folder, said.append), said


def write_model(folder: Path, text: str, until: str = "marked", step: int = 1) -> None:
    """What the text of a stage does: a checkpoint, the model, and the marker."""
    checkpoint = folder / f"checkpoints/checkpoint-{step}"
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "trainer_state.json").write_text(text)
    if until == "checkpoint":
        return
    (folder / "model.safetensors").write_text(text)
    if until == "marked":
        (folder / "finished").touch()


def train(output_dir: Path, step: str, key: Key, until: str = "noted", fresh: bool = False) -> str:
    """A run of one stage, which ends at a point; what was decided."""
    output, _ = opened(output_dir)
    decision = output.decide(step, key, fresh)
    output.begin(step, key, decision, "record")
    found = sorted((output_dir / step / "checkpoints").glob("*/trainer_state.json"))
    assert bool(found) == (decision.action == "resume") or decision.action == "reuse"
    assert decision.action == "reuse" or all(path.read_text() == key.digest for path in found)
    if decision.action != "reuse" and until != "begun":
        write_model(output_dir / step, key.digest, "marked" if until == "noted" else until)
        mark(output_dir / step / "checkpoints/checkpoint-1", key.digest)
        if until == "noted":
            output.finish(step)
    return decision.action


def run_script(output_dir: Path, text: str) -> None:
    """What an exported script does to the folder of a run: it knows no keys."""
    for marker in output_dir.glob("*/finished"):
        marker.unlink()
    for checkpoints in output_dir.glob("*/checkpoints"):
        shutil.rmtree(checkpoints)
    resume_script(output_dir, text)


def resume_script(output_dir: Path, text: str) -> None:
    """What a script does with ``--resume``, perhaps with settings of its own."""
    for step in STEPS:
        if not is_dangling(output_dir / step) and not (output_dir / step / "finished").is_file():
            write_model(output_dir / step, text, step=2)


def run_lean_script(output_dir: Path, text: str) -> None:
    """What a script does that looks for nothing and marks nothing: it overwrites what is there."""
    for step in STEPS:
        if not is_dangling(output_dir / step):
            write_model(output_dir / step, text, "model")


def is_dangling(path: Path) -> bool:
    return os.path.lexists(path) and not path.exists()


SCRIPTS = (run_script, resume_script, run_lean_script)


class TestAlternating:
    def test_each_setting_is_trained_once(self, keys: list[Key], tmp_path: Path) -> None:
        decisions = [train(tmp_path, "sft", keys[number]) for number in (0, 1, 0, 2, 1, 0)]
        assert decisions == ["train", "train", "reuse", "train", "reuse", "reuse"]
        assert (tmp_path / "sft/model.safetensors").read_text() == keys[0].digest
        assert os.readlink(tmp_path / "sft") == f"store/{keys[0].digest[:16]}"

    def test_what_the_name_led_to_says_why_it_is_trained(self, keys: list[Key], tmp_path: Path) -> None:
        train(tmp_path, "sft", keys[0])
        output, _ = opened(tmp_path)
        assert output.decide("sft", keys[1], False).reason == "learning_rate was 0.1, is 0.2"

    def test_other_names_share(self, keys: list[Key], tmp_path: Path) -> None:
        train(tmp_path, "sft", keys[0])
        assert train(tmp_path, "other", keys[0]) == "reuse"
        (kept,) = all_kept(tmp_path)
        assert (kept.leading, kept.names) == (["other", "sft"], ("sft", "other"))

    def test_trained_once_in_a_run_even_if_all_is_to_be_new(self, keys: list[Key], tmp_path: Path) -> None:
        train(tmp_path, "sft", keys[0])
        output, _ = opened(tmp_path)
        for step, action in (("sft", "train"), ("other", "reuse")):
            decision = output.decide(step, keys[0], True)
            assert decision.action == action
            output.begin(step, keys[0], decision, "")
            if action == "train":
                write_model(tmp_path / step, keys[0].digest)
                output.finish(step)

    def test_the_folder_can_be_moved_and_copied(self, keys: list[Key], tmp_path: Path) -> None:
        train(tmp_path / "out", "sft", keys[0])
        os.rename(tmp_path / "out", tmp_path / "moved")
        assert train(tmp_path / "moved", "sft", keys[0]) == "reuse"
        shutil.copytree(tmp_path / "moved", tmp_path / "copy", symlinks=True, copy_function=shutil.copyfile)
        assert train(tmp_path / "copy", "sft", keys[0]) == "reuse"
        shutil.copytree(tmp_path / "moved", tmp_path / "flat", copy_function=shutil.copyfile)
        assert not (tmp_path / "flat/sft").is_symlink()
        assert train(tmp_path / "flat", "sft", keys[0]) == "reuse"


class TestKilled:
    """At the points that matter; ``marked`` is after the text's own end, before anything is noted of it."""

    @pytest.mark.parametrize(
        ("until", "then"), [("begun", "train"), ("checkpoint", "resume"), ("model", "resume"), ("marked", "resume")]
    )
    def test_what_is_there_is_used(self, until: str, then: str, keys: list[Key], tmp_path: Path) -> None:
        train(tmp_path, "sft", keys[0], until)
        assert train(tmp_path, "sft", keys[0]) == then
        assert train(tmp_path, "sft", keys[0]) == "reuse"

    def test_before_the_name_leads_there(self, keys: list[Key], tmp_path: Path) -> None:
        train(tmp_path, "sft", keys[0])
        (tmp_path / "sft").rename(tmp_path / ".sft.link")
        opened(tmp_path)
        assert (tmp_path / "sft/model.safetensors").read_text() == keys[0].digest

    def test_names_that_lead_nowhere_are_removed(self, keys: list[Key], tmp_path: Path) -> None:
        train(tmp_path, "sft", keys[0])
        shutil.rmtree((tmp_path / "sft").resolve())
        opened(tmp_path)
        assert not os.path.lexists(tmp_path / "sft")
        (tmp_path / "mine").symlink_to("nowhere")
        opened(tmp_path)
        assert os.path.lexists(tmp_path / "mine"), "that is none of ours"


def test_what_is_damaged_is_made_up_for_from_its_checkpoints(keys: list[Key], tmp_path: Path) -> None:
    train(tmp_path, "sft", keys[0])
    (tmp_path / "sft/model.safetensors").write_text("damaged")
    output, _ = opened(tmp_path)
    decision = output.decide("sft", keys[0], False)
    why = "model.safetensors was modified after it was saved, so training resumes from its newest checkpoint"
    assert (decision.action, decision.reason) == ("resume", why)


class TestAScriptInTheFolderOfARun:
    def test_that_makes_the_same_leaves_all_as_it_was(self, keys: list[Key], tmp_path: Path) -> None:
        train(tmp_path, "sft", keys[0])
        run_script(tmp_path, keys[0].digest)
        assert train(tmp_path, "sft", keys[0]) == "reuse"

    @pytest.mark.parametrize("script", SCRIPTS)
    @pytest.mark.parametrize("until", ["begun", "checkpoint", "model", "marked", "noted"])
    def test_that_makes_another_model_is_not_taken_for_the_keys(
        self, until: str, script: Callable[[Path, str], None], keys: list[Key], tmp_path: Path
    ) -> None:
        train(tmp_path, "sft", keys[0], until)
        script(tmp_path, "of a script")
        train(tmp_path, "sft", keys[0])
        assert (tmp_path / "sft/model.safetensors").read_text() == keys[0].digest
        assert train(tmp_path, "sft", keys[0]) == "reuse"

    @pytest.mark.parametrize("script", [run_script, run_lean_script])
    def test_what_it_has_made_is_set_aside(
        self, script: Callable[[Path, str], None], keys: list[Key], tmp_path: Path
    ) -> None:
        train(tmp_path, "sft", keys[0])
        script(tmp_path, "of a script")
        output, said = opened(tmp_path)
        decision = output.decide("sft", keys[0], False)
        output.begin("sft", keys[0], decision, "")
        assert decision.action == "train"
        assert said == ["sft: the model there was not saved by a run; it was renamed to sft-before"]
        assert (tmp_path / "sft-before/model.safetensors").read_text() == "of a script"
        assert not (tmp_path / "sft/model.safetensors").exists()

    def test_that_goes_on_leaves_what_a_run_can_go_on_from(self, keys: list[Key], tmp_path: Path) -> None:
        train(tmp_path, "sft", keys[0], "checkpoint")
        resume_script(tmp_path, "perhaps of other settings")
        assert train(tmp_path, "sft", keys[0]) == "resume"
        assert (tmp_path / "sft-before/model.safetensors").read_text() == "perhaps of other settings"

    def test_that_came_first_is_set_aside(self, keys: list[Key], tmp_path: Path) -> None:
        for number, name in enumerate(("sft-before", "sft-before-2")):
            write_model(tmp_path / "sft", f"of a script {number}")
            output, said = opened(tmp_path)
            output.begin("sft", keys[0], output.decide("sft", keys[0], False), "")
            assert said == [f"sft: {tmp_path}/sft, which no run had made, was renamed to {name}"]
            assert (tmp_path / name / "model.safetensors").read_text() == f"of a script {number}"
            (tmp_path / "sft").unlink()


class TestExtraSteps:
    def keys(self, data: Path) -> tuple[Key, Key]:
        longer = flows.alone("sft", save_strategy="steps", extra_steps=3)
        key = keys_of(flows.program(longer, data))["sft"]
        assert key.first_part is not None
        return key.first_part, key

    def test_goes_on_from_what_stays_as_it_is(self, data: Path, tmp_path: Path) -> None:
        short, longer = self.keys(data)
        train(tmp_path, "sft", short)
        output, _ = opened(tmp_path)
        first = output.place_of("sft", short)
        (first / "metrics.jsonl").write_text("{}\n")
        decision = output.decide("sft", longer, False)
        assert decision.source == first
        output.begin("sft", longer, decision, "second")
        folder = tmp_path / "sft"
        assert (folder / FIRST).samefile(first / FIRST)
        assert not (folder / "metrics.jsonl").samefile(first / "metrics.jsonl"), "it is added to"
        kept = kept_in(folder)
        assert kept is not None
        assert (kept.records, kept.finished) == (("record", "second"), False)
        shutil.rmtree(folder / "checkpoints/checkpoint-1")
        assert (first / FIRST).is_file()
        assert train(tmp_path, "sft", short) == "reuse"

    def test_killed_while_they_are_taken_over(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        short, longer = self.keys(data)
        train(tmp_path, "sft", short)
        output, _ = opened(tmp_path)
        with monkeypatch.context() as patched:

            def die(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            patched.setattr(shutil, "copyfile", die)
            patched.setattr(os, "link", die)
            with pytest.raises(KeyboardInterrupt):
                output.begin("sft", longer, output.decide("sft", longer, False), "")
        output, _ = opened(tmp_path)
        decision = output.decide("sft", longer, False)
        assert decision.source == output.place_of("sft", short)
        output.begin("sft", longer, decision, "")
        assert (output.place_of("sft", longer) / FIRST).read_text() == short.digest


class TestWithoutLinks:
    @pytest.fixture(autouse=True)
    def refuse(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "symlink", refuse)

    def test_a_stage_lies_under_its_name(self, keys: list[Key], tmp_path: Path) -> None:
        _, said = opened(tmp_path)
        assert said == [
            f"{tmp_path} does not support symbolic links (Operation not permitted), so each stage's folder holds its "
            "latest model only, and other settings overwrite it"
        ]
        decisions = [train(tmp_path, "sft", keys[number]) for number in (0, 0, 1, 0)]
        assert decisions == ["train", "reuse", "train", "train"]
        assert not (tmp_path / "sft").is_symlink()
        (kept,) = all_kept(tmp_path)
        assert (kept.title, kept.output_dir) == ("sft", tmp_path)
        kept.delete()
        assert not (tmp_path / "sft").exists()

    def test_and_in_the_store_once_there_are_some(
        self, keys: list[Key], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        train(tmp_path, "sft", keys[0])
        monkeypatch.undo()
        assert train(tmp_path, "sft", keys[0]) == "reuse"
        assert (tmp_path / "sft").is_symlink()


def test_a_folder_that_cannot_be_written_to_is_not_one_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / ".store.probe"))

    monkeypatch.setattr(os, "symlink", refuse)
    with pytest.raises(UsageError, match=r"^cannot write to .*: No space left on device; choose another --output-dir"):
        Output(tmp_path, print)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_the_model_is_that_of_the_key(seed: int, keys: list[Key], tmp_path: Path) -> None:
    """Runs of several settings, killed at any point; scripts; files that are changed, or deleted; folders moved."""
    chance, folder = random.Random(seed), tmp_path / "out"
    for number in range(30):
        act = chance.choice(["train"] * 4 + ["killed"] * 3 + ["script"] * 2 + ["damage", "delete", "unlink", "move"])
        step, key = chance.choice(STEPS), chance.choice(keys)
        entries = [kept.folder for kept in all_kept(folder) if kept.is_in_store]
        if act == "train":
            train(folder, step, key, fresh=chance.random() < 0.2)
            assert (folder / step / "model.safetensors").read_text() == key.digest
        elif act == "killed":
            train(folder, step, key, chance.choice(["begun", "checkpoint", "model", "marked"]))
        elif act == "script" and folder.exists():
            chance.choice(SCRIPTS)(folder, chance.choice(["of a script", key.digest]))
        elif act == "damage" and entries:
            (chance.choice(entries) / "model.safetensors").write_text(f"{number:64}")
        elif act == "delete" and entries:
            shutil.rmtree(chance.choice(entries))
        elif act == "unlink":
            (folder / step).unlink() if (folder / step).is_symlink() else None
        elif act == "move" and folder.exists():
            os.rename(folder, tmp_path / f"out-{number}")
            folder = tmp_path / f"out-{number}"
    for kept in all_kept(folder):
        assert not kept.finished or (kept.folder / "model.safetensors").read_text() == kept.digest
