"""Ryven is given what a project means, whatever else the file claims."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flows import chain, draw, node

from ryven_llm_nodes import templates
from ryven_llm_nodes.catalogue import LoadModel, SaveModel
from ryven_llm_nodes.program.flow import graph_of
from ryven_llm_nodes.program.mending import EMPTY_STATE, FORMAT, mended


def only_flow(project: Any) -> Any:
    """The one flow of a project."""
    (flow,) = project["flows"].values()
    return flow


@pytest.mark.parametrize("drawn", [chain, *templates.TEMPLATES.values()])
def test_a_good_project_means_the_same(drawn: Any) -> None:
    project = drawn()
    (title,) = project["flows"]
    before, after = (graph_of(only_flow(each), title, Path()) for each in (project, mended(project)))
    assert before.digest == after.digest
    assert [step.place for step in before.steps] == [step.place for step in after.steps]


def test_what_a_file_claims_of_our_nodes() -> None:
    project = draw(n=node(LoadModel, path="a/b"))
    claims = {"state data": "gAR9lC4=", "inputs": [1], "outputs": [{}], "special actions": {"x": {"method": "m"}}}
    claims |= {"main widget data": "x", "display title": "SFT", "GID": "x", "pos x": "left", "collapsed": True}
    only_flow(project)["nodes"][0] |= claims
    (found,) = only_flow(mended(project))["nodes"]
    assert found == {
        "GID": 2,
        "version": LoadModel.version,
        "identifier": "ryven_llm_nodes.LoadModel",
        "additional data": {"name": "n", "params": {"path": "a/b"}},
        "state data": EMPTY_STATE,
        "inputs": [],
        "outputs": [],
        "pos x": 0.0,
        "pos y": 0.0,
        "collapsed": True,
    }


@pytest.mark.parametrize("wire", [None, 1, {}, {"parent node index": 0}, {"connected node": "x"}])
def test_a_wire_that_leads_nowhere_is_none(wire: Any) -> None:
    project = draw("m -> s", m=node(LoadModel, path="a/b"), s=node(SaveModel))
    wires = only_flow(project)["connections"]
    odd = [{**wires[0], key: value} for key in wires[0] for value in (9, -1, True, None, "0", [])]
    only_flow(project)["connections"] = [wire, *odd, *wires]
    assert only_flow(mended(project))["connections"] == wires


def test_a_flow_with_nodes_of_others_is_left_alone() -> None:
    project = draw(n=node(LoadModel, path="a/b"))
    other = {"identifier": "theirs.Node", "inputs": [1]}
    flow = only_flow(project)
    flow["nodes"].append(other)
    flow["nodes"][0]["inputs"] = [1]
    flow["more"] = 1
    found = only_flow(mended(project))
    assert found["nodes"][1] == other
    assert found["nodes"][0]["inputs"] == []
    assert found["more"] == 1


def test_the_drawings_of_a_canvas_are_kept() -> None:
    project = draw(n=node(LoadModel, path="a/b"))
    only_flow(project)["flow view"] = {"drawings": [{"x": 1}], "view size": [10, 20]}
    assert only_flow(mended(project))["flow view"] == {"drawings": [{"x": 1}], "view size": [10, 20]}


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, True])
def test_anything_of_any_shape(value: Any) -> None:
    project = draw(n=node(LoadModel, path="a/b"))
    for key in ("general info", "required packages", "addons", "GID"):
        project[key] = value
    for key in ("nodes", "connections", "algorithm mode", "flow view", "output data"):
        only_flow(project)[key] = value
    found = mended(project)
    assert json.dumps(found)
    assert found["general info"] == FORMAT["general info"]
    assert isinstance(found["addons"], dict)
    assert isinstance(only_flow(found)["nodes"], list)
