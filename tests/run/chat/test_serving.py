"""The process that speaks for a model."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ryven_llm_nodes.run.chat.serving import COMMAND, serve

ASKED = {"messages": [{"role": "user", "content": "what is 1"}]}


def talk(model: str, *asked: dict[str, Any]) -> list[dict[str, Any]]:
    output = io.StringIO()
    serve(model, io.StringIO("".join(json.dumps(one) + "\n" for one in asked)), output)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_replies_come_in_pieces(workspace: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, *COMMAND, str(workspace / "model")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert json.loads(process.stdout.readline()) == {"ready": {"converses": True}}
    process.stdin.write(json.dumps({"number": 3, **ASKED, "sampling": {"max_new_tokens": 5}}) + "\n")
    process.stdin.flush()
    *pieces, end = _until_reply(process)
    assert "".join(one["piece"] for one in pieces) == end["reply"]["text"]
    assert {one["number"] for one in (*pieces, end)} == {3}
    process.stdin.close()
    assert process.wait(30) == 0
    process.stdout.close()


def _until_reply(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    found = []
    while not found or "reply" not in found[-1]:
        found.append(json.loads(process.stdout.readline()))
    return found


def test_a_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    (line,) = talk(str(tmp_path / "none"))
    assert "Correct the path" in line["error"] or "none" in line["error"]


def test_an_error_takes_the_place_of_one_reply(workspace: Path) -> None:
    wrong = {"number": 1, **ASKED, "sampling": {"temperature": -1}}
    ready, answer = talk(str(workspace / "model"), wrong)
    assert ready["ready"]
    assert answer == {"number": 1, "error": "temperature: must be at least 0, got -1."}
