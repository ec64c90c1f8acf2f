"""``ryven-llm chat``: one reply, a conversation, and models next to each other."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ryven_llm_nodes.cli import app
from ryven_llm_nodes.run.chat.replies import Sampling, Speaker
from ryven_llm_nodes.terminal_chat import converse

GREEDY = ("--temperature", "0", "--max-new-tokens", "6")


def chat(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["chat", *map(str, arguments)], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout if done.exit_code == 0 else done.output


@pytest.fixture(scope="module")
def speaker(workspace: Path) -> Speaker:
    return Speaker(str(workspace / "model"))


def test_one_reply_as_json(workspace: Path, speaker: Speaker) -> None:
    code, text = chat(workspace / "model", "--prompt", "what is 1", *GREEDY, "--json")
    assert code == 0, text
    (reply,) = json.loads(text).values()
    assert reply["tokens"] <= 6
    assert reply["ended"] in ("length", "stop token")


def test_several_models_answer_in_turn(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(workspace / "model")
    code, text = chat(workspace / "model", tmp_path / "other", "--prompt", "what is 1", *GREEDY)
    assert code == 0, text
    first, _, second = text.removeprefix(f"{workspace / 'model'}: ").partition(f"{tmp_path / 'other'}: ")
    assert first == second != ""


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    code, text = chat(tmp_path / "none", "--prompt", "hello")
    assert code == 2
    assert f"error: {tmp_path / 'none'}: " in text


def test_json_needs_a_prompt(workspace: Path) -> None:
    code, text = chat(workspace / "model", "--json")
    assert code == 2
    assert "--json needs --prompt TEXT" in text


def test_a_conversation_keeps_its_turns(speaker: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    real = speaker.prompt_ids
    monkeypatch.setattr(speaker, "prompt_ids", lambda talk: asked.append([m["role"] for m in talk]) or real(talk))
    console = Console(file=io.StringIO(), width=100)
    lines = io.StringIO("what is 1\nwhat is 2\n/new\nwhat is 3\n")
    converse([speaker], "", Sampling(0, 1.0, 3), console, lines)
    assert asked == [["user"], ["user", "assistant", "user"], ["user"]]
    assert console.file.getvalue().count("3 tokens in ") == 3
