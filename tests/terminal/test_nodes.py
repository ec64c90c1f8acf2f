"""What `ryven-llm nodes` shows: pages that fit a terminal, and everything there is for programs."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from ryven_llm_nodes.catalogue import ALL_NODES, GRPO
from ryven_llm_nodes.cli import app
from ryven_llm_nodes.terminal.nodes import LONGEST_DEFAULT

WIDTH = 80


def shown(*arguments: str) -> list[str]:
    done = CliRunner().invoke(app, ["nodes", *arguments], env={"COLUMNS": str(WIDTH), "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


@pytest.mark.parametrize("node", ALL_NODES, ids=lambda node: node.__name__)
class TestEveryNode:
    def test_the_essentials_are_a_page(self, node: type) -> None:
        lines = shown(node.__name__)
        assert len(lines) <= 40
        assert sum(not line.strip() for line in lines) <= 3
        for parameter in node.parameters:
            (line,) = (line for line in lines if line.split()[:1] == [parameter.name])
            assert (parameter.typical or "") in line

    def test_everything_is_a_line_each(self, node: type) -> None:
        lines = shown(node.__name__, "--all")
        assert all(len(line) <= WIDTH for line in lines)
        for name in node.all_parameters():
            assert sum(line.startswith(f"{name} = ") for line in lines) == 1

    def test_all_of_it_as_data(self, node: type) -> None:
        data = json.loads("\n".join(shown(node.__name__, "--json")))
        assert data["node"] == node.__name__
        assert [parameter["name"] for parameter in data["parameters"]] == list(node.all_parameters())
        assert [port["name"] for port in data["inputs"]] == [port.name for port in node.in_ports]


def test_the_list() -> None:
    text = "\n".join(shown())
    assert all(node.__name__ in text for node in ALL_NODES)
    assert [entry["node"] for entry in json.loads("\n".join(shown("--json")))] == [n.__name__ for n in ALL_NODES]


def test_one_parameter_in_full() -> None:
    text = " ".join("\n".join(shown("grpo.beta")).split())
    assert text.startswith("GRPO > beta type a number default 0.0 range at least 0, at most")
    assert text.endswith(GRPO.all_parameters()["beta"].help.split()[-1])
    assert "range greater than 0, less than 1" in " ".join(" ".join(shown("ppo.epsilon")).split())
    assert "choices 'k1', 'k3'" in " ".join(" ".join(shown("ppo.kl_estimator")).split())
    assert json.loads("\n".join(shown("ppo.kl_coef", "--json")))["default"] == 0.001


def test_a_long_default_is_shortened() -> None:
    (line,) = (line for line in shown("rewardfunction") if line.startswith("code"))
    assert len(line.split(maxsplit=1)[1]) <= LONGEST_DEFAULT


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpro", "error: there is no node 'gpro'. Did you mean 'grpo'?"),
        ("grpo.bta", "error: GRPOConfig has no such field. Did you mean 'beta'?"),
        ("sft.hub_token", "error: is a secret, and secrets are not stored in a flow"),
        ("lora.rank", "error: LoRA has no such parameter."),
    ],
)
def test_what_there_is_not(name: str, message: str) -> None:
    done = CliRunner().invoke(app, ["nodes", name])
    assert done.exit_code == 2
    assert done.stderr.startswith(message)
