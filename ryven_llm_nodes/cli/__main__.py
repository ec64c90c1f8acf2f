"""``python -m ryven_llm_nodes.cli``."""

from ryven_llm_nodes.cli.commands import main

main()
