"""What earlier runs have left, and what is decided about it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import flows
import pytest
import records
from typer.testing import CliRunner

from ryven_llm_nodes.cli import app
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.store.alone import alone_in
from ryven_llm_nodes.run.store.decisions import Decision, decide, mark, prepare
from ryven_llm_nodes.run.store.decisions import finish as note_finished
from ryven_llm_nodes.run.store.kept import Kept, all_kept, ending, kept_in, note_end
from ryven_llm_nodes.run.store.keys import Key, keys_of
from ryven_llm_nodes.run.store.links import lead


@pytest.fixture
def key(data: Path) -> Key:
    return keys_of(flows.program(flows.alone("sft"), data))["sft"]


def finish(folder: Path, key: Key) -> None:
    """What a stage of ``key`` leaves when it is done."""
    prepare(folder, key, Decision("train"))
    for name in ("finished", "model.safetensors", "config.json"):
        (folder / name).write_text("{}")
    note_finished(folder)


def only(folder: Path) -> Kept:
    kept = kept_in(folder)
    assert kept is not None
    return kept


class TestDeciding:
    def test_nothing_there(self, key: Key, tmp_path: Path) -> None:
        assert decide(tmp_path, key, fresh=False) == Decision("train")

    def test_finished(self, key: Key, tmp_path: Path) -> None:
        finish(tmp_path, key)
        assert decide(tmp_path, key, fresh=False).action == "reuse"
        assert decide(tmp_path, key, fresh=True) == Decision("train")

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_a_model_that_is_not_whole_is_not_used(self, name: str, key: Key, tmp_path: Path) -> None:
        finish(tmp_path, key)
        (tmp_path / name).write_text("[]")
        assert decide(tmp_path, key, fresh=False) == Decision("train", f"{name} was modified after it was saved")
        assert only(tmp_path).state == "damaged"
        (tmp_path / name).write_text("{} ")
        assert decide(tmp_path, key, fresh=False).action == "train"
        (tmp_path / name).unlink()
        assert decide(tmp_path, key, fresh=False) == Decision("train", f"{name} is missing")

    def test_what_is_as_it_was_is_used_whenever_it_was_written(self, key: Key, tmp_path: Path) -> None:
        finish(tmp_path, key)
        os.utime(tmp_path / "model.safetensors", (1, 1))
        assert decide(tmp_path, key, fresh=False).action == "reuse"
        prepare(tmp_path, key, Decision("reuse"))
        manifest = only(tmp_path).manifest
        assert manifest is not None
        assert manifest["model.safetensors"].changed == 10**9, "next time it need not be read"

    def test_whatever_it_leaves_is_its_own(self, key: Key, tmp_path: Path) -> None:
        """A stage may leave a report, and no weights; and somebody may put something beside."""
        prepare(tmp_path, key, Decision("train"))
        (tmp_path / "report.json").write_text("{}")
        assert not only(tmp_path).finished
        note_finished(tmp_path)
        (tmp_path / "notes.md").write_text("good")
        assert only(tmp_path).state == "finished"
        assert list(only(tmp_path).manifest or {}) == ["report.json"]

    def test_the_marker_of_the_text_follows_the_manifest(self, key: Key, tmp_path: Path) -> None:
        finish(tmp_path, key)
        (tmp_path / "finished").unlink()
        assert decide(tmp_path, key, fresh=False).action == "reuse"
        prepare(tmp_path, key, Decision("reuse"))
        assert (tmp_path / "finished").is_file()

    def test_stopped_with_a_checkpoint(self, key: Key, tmp_path: Path) -> None:
        prepare(tmp_path, key, Decision("train"))
        (tmp_path / "checkpoints/checkpoint-3").mkdir(parents=True)
        assert decide(tmp_path, key, fresh=False) == Decision("train"), "nobody knows whose it is"
        mark(tmp_path / "checkpoints/checkpoint-3", key.digest)
        assert decide(tmp_path, key, fresh=False) == Decision("resume", "resumes from its checkpoint of step 3", step=3)

    def test_something_else_was_trained_here(self, key: Key, data: Path, tmp_path: Path) -> None:
        finish(tmp_path, key)
        other = keys_of(flows.program(flows.alone("sft", learning_rate=1.0), data))["sft"]
        assert decide(tmp_path, other, fresh=False) == Decision("train", "learning_rate was 0.001, is 1.0")
        prepare(tmp_path, other, Decision("train"))
        assert not only(tmp_path).finished, "what is there is the model of another key"

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"parts": 1, "digest": 2, "since": 3}', b"\xff"])
    def test_a_damaged_record_is_as_none(self, text: str | bytes, key: Key, tmp_path: Path) -> None:
        finish(tmp_path, key)
        (tmp_path / "stage.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        assert kept_in(tmp_path) is None
        assert decide(tmp_path, key, fresh=False).action == "train"

    @pytest.mark.parametrize("ended", [[], [1], "x", {"a": 1}, [None, 2]])
    def test_a_damaged_end(self, ended: object, key: Key, tmp_path: Path) -> None:
        finish(tmp_path, key)
        record = json.loads((tmp_path / "stage.json").read_text())
        (tmp_path / "stage.json").write_text(json.dumps(record | {"ended at": ended}))
        kept = kept_in(tmp_path)
        assert kept is None or kept.ended_at is None


class TestEndedEarly:
    def test_is_known_and_told(self, key: Key, tmp_path: Path) -> None:
        finish(tmp_path, key)
        assert (only(tmp_path).state, ending(tmp_path, key)) == ("finished", "")
        note_end(tmp_path, 3, 9)
        assert (only(tmp_path).state, ending(tmp_path, key)) == ("ended at step 3 of 9", "@3")
        reason = decide(tmp_path, key, fresh=False).reason
        assert reason.endswith("ended early at step 3 of 9; --fresh, or Retrain All, trains it in full")

    def test_is_forgotten_when_it_is_trained_again(self, key: Key, tmp_path: Path) -> None:
        finish(tmp_path, key)
        note_end(tmp_path, 3, 9)
        prepare(tmp_path, key, Decision("train"))
        assert ending(tmp_path, key) == ""

    def test_what_follows_has_another_key(self, data: Path) -> None:
        program = flows.program(flows.chain(), data)
        whole = keys_of(program)
        early = keys_of(program, lambda step, key: "@3" if step == "ppo" else "")
        assert [name for name in flows.METHODS if whole[name].digest != early[name].digest] == ["dpo", "grpo"]


class TestTheCommand:
    @pytest.fixture
    def outputs(self, tmp_path: Path) -> Path:
        for stage in ("sft", "dpo"):
            records.keep(tmp_path / "outputs" / "flow", stage, finished=stage == "sft")
        (tmp_path / "outputs/flow/final-model").mkdir()
        (tmp_path / "outputs/flow/final-model/config.json").write_text("{}")
        return tmp_path / "outputs"

    def test_lists(self, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(outputs.parent)
        for place in ("outputs", "outputs/flow"):
            done = CliRunner().invoke(app, ["kept", place])
            states = [line.split()[3] for line in done.stdout.splitlines() if "flow/" in line]
            assert states == ["stopped", "finished"]
        assert "nothing is cached in" in CliRunner().invoke(app, ["kept", str(outputs / "none")]).stdout

    def test_clears_stages_and_nothing_else(self, outputs: Path) -> None:
        done = CliRunner().invoke(app, ["kept", str(outputs), "--clear"])
        assert "deleted 2 stages" in done.stdout
        assert sorted(path.name for path in (outputs / "flow").rglob("*")) == ["config.json", "final-model", "store"]

    def test_what_no_name_leads_to_has_the_one_that_it_had(
        self, outputs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(outputs.parent)
        (outputs / "flow/sft").unlink()
        lead(outputs / "flow", "second", "dpo")
        lines = CliRunner().invoke(app, ["kept", "outputs"]).stdout
        assert "outputs/flow/dpo, second " in lines
        assert "outputs/flow/sft (earlier) " in lines
        CliRunner().invoke(app, ["kept", str(outputs), "--clear"])
        assert list((outputs / "flow/store").iterdir()) == []
        assert not os.path.lexists(outputs / "flow/second")

    def test_not_while_a_run_writes_there(self, outputs: Path) -> None:
        with alone_in(outputs / "flow"):
            done = CliRunner().invoke(app, ["kept", str(outputs), "--clear"])
        assert done.exit_code == 2
        assert "a run is writing to" in done.stderr
        assert len(list(all_kept(outputs / "flow"))) == 2

    def test_after_a_real_run(self, workspace: Path, tmp_path: Path) -> None:
        run_program(flows.program(flows.alone("sft"), workspace), tmp_path)
        (kept,) = all_kept(tmp_path)
        assert kept.state == "finished"
        assert kept.size > (tmp_path / "sft/model.safetensors").stat().st_size
        kept.delete()
        assert not os.path.lexists(tmp_path / "sft")
        with pytest.raises(UsageError, match="cannot delete"):
            kept.delete()
