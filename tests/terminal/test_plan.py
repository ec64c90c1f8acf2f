"""What `ryven-llm plan` prints."""

from __future__ import annotations

import io
import json
from pathlib import Path

import flows
from rich.console import Console

from ryven_llm_nodes.run.planning.hardware import cluster
from ryven_llm_nodes.terminal.plan import show_plan


def shown(root: Path, as_json: bool) -> str:
    output = io.StringIO()
    program = flows.program(flows.alone("sft", max_steps=1000), root)
    show_plan(program, cluster("8xH100"), 2.5, as_json, Console(file=output, width=200))
    return output.getvalue()


def test_a_table_and_the_sum(workspace: Path) -> None:
    text = shown(workspace, False)
    lines = text.splitlines()
    assert lines[0].split("  ")[0] == "stage"
    assert {"ddp", "zero2", "fsdp2", "zero3"} <= {word for line in lines for word in line.split()}
    assert any(line.startswith("8 x H100, 80.0 GB each: ") and line.endswith("USD") for line in lines)


def test_as_json(workspace: Path) -> None:
    data = json.loads(shown(workspace, True))
    (stage,) = data["stages"]
    assert (data["gpu"], data["count"], data["usd_per_hour"], stage["steps"]) == ("H100", 8, 20.0, 1000)
    chosen = next(option for option in stage["options"] if option["strategy"] == stage["chosen"])
    assert stage["seconds"] == 1000 * chosen["seconds_per_step"]
    assert stage["usd"] == stage["seconds"] / 3600 * 20
