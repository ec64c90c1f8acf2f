"""What a machine without GPUs cannot do is said before anything trains."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.program.launch.settings import Launch
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.examine.launching import launch_problems


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"processes": 2, "machines": 2}, "is to be launched on 2 machines, and a run has one"),
        ({"processes": 2, "strategy": "fsdp2"}, "has the strategy 'fsdp2', which needs GPUs"),
        ({"processes": 2, "strategy": "zero2"}, "has the strategy 'zero2', which needs GPUs"),
    ],
)
def test_what_is_not_possible_here(given: dict[str, object], said: str, workspace: Path) -> None:
    program = flows.program(flows.alone("sft"), workspace, launch=Launch(given))
    (problem,) = launch_problems(program)
    assert (problem.step, said in str(problem)) == ("sft", True)


def test_what_is_possible(workspace: Path) -> None:
    for given in ({}, {"processes": 2}, {"strategy": "fsdp2"}):
        assert list(launch_problems(flows.program(flows.alone("sft"), workspace, launch=Launch(given)))) == []


def test_a_run_ends_before_it_trains(workspace: Path, tmp_path: Path) -> None:
    launch = Launch({"processes": 2, "strategy": "zero3"})
    outcome = run_program(flows.program(flows.alone("sft"), workspace, launch=launch), tmp_path)
    assert outcome.status == "failed"
    assert "SFT 'sft' > launch: has the strategy 'zero3', which needs GPUs" in str(outcome.error)


class Healthy(BaseHTTPRequestHandler):
    """Answers as a vLLM server that is ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def test_a_server_of_this_machine_has_to_answer(workspace: Path) -> None:
    def problems(**params: object) -> list[str]:
        drawn = flows.alone("grpo", use_vllm=True, vllm_mode="server", **params)
        return [str(problem) for problem in launch_problems(flows.program(drawn, workspace))]

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert problems(vllm_server_port=port) == []
        server.shutdown()
    (said,) = problems(vllm_server_port=port)
    assert said.startswith(
        f"GRPO 'grpo' > vllm_mode: is to generate with the vLLM server at http://0.0.0.0:{port}, which does not "
        f"answer. Start it with `VLLM_SERVER_DEV_MODE=1 vllm serve model --host 127.0.0.1 --port {port} "
    )
    assert problems(vllm_server_host="node7") == [], "nothing is sent to an address that stands in a flow"
