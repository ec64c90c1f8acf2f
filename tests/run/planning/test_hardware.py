"""Clusters as they are written on the command line."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.planning.hardware import cluster


def test_a_cluster_is_a_number_and_a_name() -> None:
    found = cluster("64xh100")
    assert (found.count, found.gpu.name, found.machines, found.link) == (64, "H100", 8, 50e9)
    assert (cluster("A100").count, cluster("8xA100").link) == (1, 300e9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("8xH10", "Did you mean 'H100'?"),
        ("8 H100", "write NUMBERxNAME"),
        ("12xH100", "fill machines of 8"),
        ("", "GPUs"),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        cluster(text)
