"""The command `ryven-llm mcp`."""

from __future__ import annotations

from typing import Annotated

import typer

from ryven_llm_nodes.cli_options import plain_errors


def mcp(
    trust: Annotated[bool, typer.Option("--trust", help="Run the code of all flows without asking.")] = False,
) -> None:
    """Serve agents over MCP (stdio): they build, check, run, compare and export flows. Needs the extra `mcp`."""
    from ryven_llm_nodes.agents.server import Tools, server_of
    from ryven_llm_nodes.terminal import quiet_libraries

    quiet_libraries()
    with plain_errors():
        tools = Tools(trust)
        try:
            server_of(tools).run()
        finally:
            tools.end()
