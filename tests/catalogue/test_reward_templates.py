"""Code to start from: each template is accepted by the check, and scores what it says."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from flows import draw, node, problems

from ryven_llm_nodes.catalogue import RewardFunction
from ryven_llm_nodes.catalogue.reward_templates import GALLERY

CASES: dict[str, tuple[list[str], dict[str, list[Any]], list[float]]] = {
    "Distinct words": (["a a b b", "a", ""], {}, [0.5, 1.0, 0.0]),
    "Right number": (["It is 1,000.", "1 or 2", "none"], {"answer": ["1000", 3, "1"]}, [1.0, 0.5, 0.0]),
    "Thinking, then answer": (
        ["<think>a</think>\n<answer>b</answer>", "<think>a</think>", "b"],
        {},
        [1.0, 0.25, 0.0],
    ),
    "Code that passes tests": (
        ["```python\ndef f(): return 1\n```", "def f(): return 2", "while True: pass"],
        {"tests": ["assert f() == 1"] * 3},
        [1.0, 0.0, 0.0],
    ),
    "Several criteria, logged": (["Yes.", "no", "x" * 300], {}, [1.0, 0.5, 0.0]),
}


def function(name: str) -> Any:
    namespace: dict[str, Any] = {}
    exec(GALLERY[name], namespace)
    return namespace["reward"]


@pytest.mark.parametrize("name", GALLERY)
def test_the_check_accepts_it(name: str) -> None:
    assert problems(draw(score=node(RewardFunction, code=GALLERY[name])), Path()) == []


@pytest.mark.parametrize("name", CASES)
def test_what_it_scores(name: str) -> None:
    completions, columns, scores = CASES[name]
    passed = {"prompts": [""] * len(completions), "completion_ids": [[0]] * len(completions), **columns}
    assert function(name)(completions=completions, **passed) == pytest.approx(scores)
    chats = [[{"role": "assistant", "content": text}] for text in completions]
    assert function(name)(completions=chats, **passed) == pytest.approx(scores)


def test_criteria_are_logged() -> None:
    logged: dict[str, float] = {}
    function("Several criteria, logged")(completions=["Yes.", "no"], log_metric=logged.__setitem__)
    assert logged == {"reward_parts/ends": 0.5, "reward_parts/short": 1.0}


class Scorer(BaseHTTPRequestHandler):
    """Scores a completion by its length."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"score": len(asked["completion"])}).encode())

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def test_a_server_is_asked() -> None:
    with HTTPServer(("localhost", 0), Scorer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        namespace: dict[str, Any] = {}
        exec(GALLERY["A server that scores"].replace("8000", str(server.server_port)), namespace)
        assert asyncio.run(namespace["reward"](prompts=["", ""], completions=["a", "bcd"])) == [1.0, 3.0]
        server.shutdown()
    assert {*CASES, "A server that scores"} == set(GALLERY)
