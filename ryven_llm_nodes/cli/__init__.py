"""The command line, a file per group of commands."""

from ryven_llm_nodes.cli.app import app, main

__all__ = ["app", "main"]
