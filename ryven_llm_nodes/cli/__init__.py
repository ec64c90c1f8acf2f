"""The command line, a file per group of commands."""

from ryven_llm_nodes.cli.commands import app, main

__all__ = ["app", "main"]
