"""A session of an agent over MCP: from a data file to a trained and evaluated model, and its script."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra mcp is not installed")
from mcp import Client, StdioServerParameters

from ryven_llm_nodes.agents.server import Tools, server_of, tools_of

FAST = {"max_steps": 2, "per_device_train_batch_size": 4, "warmup_steps": 0, "logging_steps": 1, "save_strategy": "no"}


class Agent:
    """Calls tools; the result of a tool that failed is its message."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, tool: str, **arguments: Any) -> Any:
        result = await self.client.call_tool(tool, arguments)
        if result.is_error:
            return result.content[0].text
        structured = result.structured_content
        return structured.get("result", structured) if isinstance(structured, dict) else structured


@pytest.mark.slow
def test_from_a_data_file_to_an_evaluated_model_and_its_script(
    work: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(work)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    command = [*["-c"], "from ryven_llm_nodes.cli import main; main()", "mcp"]

    async def session() -> None:
        server = StdioServerParameters(command=sys.executable, args=command, cwd=str(work), env=dict(os.environ))
        async with Client(server) as client:
            agent = Agent(client)
            assert {"SFT", "Evaluate"} <= {node["node"] for node in await agent("list_nodes")}
            rate = await agent("describe_node", kind="sft", parameter="learning_rate")
            assert rate["above"] == 0 or rate["at_least"] == 0
            await agent("new_flow", flow="flow.json")
            for kind, name, values in (
                ("LoadModel", "base", {"path": "model"}),
                ("LoadDataset", "rows", {"path": "sft.jsonl"}),
                ("SFT", "sft", {**FAST, "learning_rate": -1}),
                ("Evaluate", "judged", {}),
            ):
                await agent("add_node", flow="flow.json", kind=kind, name=name, values=values)
            for source, target in (("base", "sft"), ("rows", "sft.dataset"), ("sft", "judged.model")):
                await agent("connect", flow="flow.json", source=source, target=target)
            assert "no wire fits" in await agent("connect", flow="flow.json", source="rows", target="base")
            found = await agent("check_flow", flow="flow.json")
            assert {(one["node"], one["parameter"]) for one in found if one["weight"] == "error"} == {
                ("SFT 'sft'", "learning_rate"),
                ("Evaluate 'judged'", "dataset"),
            }
            await agent("set_values", flow="flow.json", node="sft", values={"learning_rate": 1e-3})
            await agent("connect", flow="flow.json", source="rows", target="judged.dataset")
            assert not [one for one in await agent("check_flow", flow="flow.json") if one["weight"] == "error"]
            run = (await agent("run_flow", flow="flow.json"))["run"]
            status = await agent("run_status", run=run, wait_seconds=300)
            assert status["status"] == "done", status
            assert status["stages"]["sft"]["state"] == "done"
            assert status["stages"]["sft"]["done"] == 2
            table = await agent("compare", places=[status["output_dir"] + "/judged"])
            assert "loss" in json.dumps(table)
            past = await agent("read_run", run=Path(status["record"]).name)
            assert past["stages"]["sft"]["health"] == []
            await agent("export_script", flow="flow.json", script="script.py")

    asyncio.run(session())
    compile((work / "script.py").read_text(), "script.py", "exec")
    assert (work / "outputs" / "flow" / "sft" / "model.safetensors").is_file()


def test_every_tool_says_what_it_does(tmp_path: Path) -> None:
    async def session() -> list[Any]:
        async with Client(server_of(Tools())) as client:
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in asyncio.run(session())}
    assert set(tools) == {tool.__name__ for tool in tools_of(Tools())}
    assert all(tool.description for tool in tools.values())


def test_code_of_others_is_not_run_without_permission(
    work: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import flows

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    drawn = json.dumps(flows.alone("grpo")).replace("def variety", "x = 1\\n\\ndef variety")
    (work / "flow.json").write_text(drawn)

    async def session() -> str:
        async with Client(server_of(Tools())) as client:
            return await Agent(client)("run_flow", flow=str(work / "flow.json"), output_dir=str(tmp_path / "out"))

    assert "has not been allowed on this machine" in asyncio.run(session())
    assert not (tmp_path / "out").exists()


def test_without_the_package_the_command_says_how_to_get_it() -> None:
    code = "import sys; sys.modules['mcp.server.mcpserver'] = None; from ryven_llm_nodes.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "mcp"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'ryven-llm-nodes[mcp]'" in done.stderr
