"""The documentation as a site."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ryven_llm_nodes.catalogue import ALL_NODES
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.terminal.docs import write_docs


def test_a_page_for_each_node(tmp_path: Path) -> None:
    assert write_docs(tmp_path / "site") == len(ALL_NODES) + 1
    settings = yaml.safe_load((tmp_path / "site" / "mkdocs.yml").read_text())
    assert settings["theme"]["name"] == "material"
    pages = [
        page for group in settings["nav"][1:] for part in group.values() for entry in part for page in entry.values()
    ]
    assert len(pages) == len(ALL_NODES)
    index = (tmp_path / "site" / "docs" / "index.md").read_text()
    for page in pages:
        assert (tmp_path / "site" / "docs" / page).read_text().startswith("# ")
        assert f"({page})" in index


def test_it_can_be_written_again_but_over_nothing_else(tmp_path: Path) -> None:
    write_docs(tmp_path / "site")
    write_docs(tmp_path / "site")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        write_docs(tmp_path / "mine")
