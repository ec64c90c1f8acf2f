"""Locations: Hub ids, and paths beside the flow, absolute, or at home."""

from __future__ import annotations

from pathlib import Path

import pytest

from ryven_llm_nodes.catalogue.places import is_local, looks_local, path_expression, resolve


@pytest.mark.parametrize(
    "location", ["./model", "../model", "/model", "~/model", "a/b/c", "a\\b", ".", "~nobody-here/x"]
)
def test_what_can_only_be_a_path(location: str) -> None:
    assert looks_local(location)


@pytest.mark.parametrize("location", ["gpt2", "owner/name", "owner/name.v1"])
def test_what_may_be_a_hub_id(location: str, tmp_path: Path) -> None:
    assert not looks_local(location)
    assert not is_local(location, tmp_path)


def test_a_folder_beside_the_flow_wins_over_the_hub(tmp_path: Path) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert is_local("owner/name", tmp_path)


@pytest.mark.parametrize("location", ["x" * 5000, "a\0b", "\ud800", ""])
def test_what_no_file_system_can_hold_is_no_path(location: str, tmp_path: Path) -> None:
    assert is_local(location, tmp_path) == (location == "")


@pytest.mark.parametrize(
    ("location", "expression"),
    [
        ("a b", 'str(ROOT / "a b")'),
        ("/a", '"/a"'),
        ("~/a", 'str(Path("~/a").expanduser())'),
        ('"', "str(ROOT / '\"')"),
    ],
)
def test_expressions(location: str, expression: str) -> None:
    assert path_expression(location) == expression


def test_an_expression_leads_to_the_resolved_place(tmp_path: Path) -> None:
    for location in ("x/y", "../x", "/x", "~/x"):
        assert eval(path_expression(location), {"Path": Path, "ROOT": tmp_path}) == str(resolve(location, tmp_path))  # noqa: S307


def test_an_unknown_home_is_left_as_it_is(tmp_path: Path) -> None:
    assert resolve("~nobody-here/x", tmp_path) == tmp_path / "~nobody-here" / "x"
