"""A flow can be read again from whatever was made from it."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from flows import BASE, METHODS, ROWS, TRAINERS, alone, chain, draw, node, program, save
from hypothesis import given, settings
from hypothesis import strategies as st

from ryven_llm_nodes import templates
from ryven_llm_nodes.catalogue import DPO, SFT, LoadModel, RewardFunction
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import Graph, build, read_flow
from ryven_llm_nodes.program.carried import COPY, LARGEST, OPENING, ROOT, flow_comment, flow_in_script
from ryven_llm_nodes.program.flow import read_project
from ryven_llm_nodes.program.project import graph_of_project, project_of, write_project


def meaning(graph: Graph) -> Any:
    """All that a graph says, but where it was read from."""
    return graph.title, graph.root, graph.steps


def copied(graph: Graph, folder: Path) -> Graph:
    """``graph`` as it is read from a copy in ``folder``."""
    write_project(project_of(graph, folder), folder / "flow.json")
    return read_flow(folder)


class TestCopies:
    @pytest.mark.parametrize("name", templates.TEMPLATES)
    def test_a_copy_is_the_same_flow(self, name: str, tmp_path: Path) -> None:
        original = read_flow(save(templates.TEMPLATES[name](), tmp_path / "flow.json"))
        assert meaning(copied(original, tmp_path / "outputs" / "sft")) == meaning(original)

    def test_relative_paths_lead_to_the_same_files(self, data: Path, tmp_path: Path) -> None:
        original = program(alone("sft"), data)
        again = build(copied(original.graph, tmp_path / "deep" / "model"))
        assert again.graph.root == data.resolve()
        assert again.script_for(tmp_path).text == original.script_for(tmp_path).text.replace("of flow.json", "of model")

    def test_a_copy_is_known_as_one(self, tmp_path: Path) -> None:
        original = read_flow(save(chain(), tmp_path / "flow.json"))
        copy = project_of(original, tmp_path / "a" / "b")
        assert (copy[COPY], copy[ROOT]) == (True, "../..")

    def test_a_part_keeps_its_names(self, tmp_path: Path) -> None:
        """The second nameless SFT is `sft_2`, in a copy of which the first is no part as well."""
        nodes = {"base": BASE, "sft": node(SFT), "later": node(SFT), "judge": node(RewardFunction)}
        drawn = draw("base -> sft, base -> later", **nodes)
        for placed in drawn["flows"]["flow"]["nodes"]:
            placed["additional data"]["name"] = ""
        whole = graph_of_project(drawn, tmp_path)
        assert [step.name for step in whole.steps] == ["base_model", "sft", "sft_2", "reward"]
        part = whole.upstream(["sft_2"])
        again = copied(part, tmp_path / "copy")
        assert [step.name for step in again.steps] == ["base_model", "sft_2"]
        assert again.digest == part.digest
        assert [step.title for step in again.steps] == ["", "sft_2"]

    def test_places_that_are_none(self, tmp_path: Path) -> None:
        drawn = draw(base=BASE)
        for place in (None, "x", float("nan"), float("inf"), 1e300, 10**400, True, [1]):
            drawn["flows"]["flow"]["nodes"][0]["pos x"] = place
            assert graph_of_project(drawn, tmp_path).steps[0].place == (0.0, 0.0)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from([SFT, DPO, LoadModel]), st.text(max_size=6)), max_size=8))
    def test_any_names(self, nodes: list[Any]) -> None:
        drawn = draw(**{str(i): (kind, {}) for i, (kind, _) in enumerate(nodes)})
        for placed, (_, name) in zip(drawn["flows"]["flow"]["nodes"], nodes, strict=True):
            placed["additional data"]["name"] = name
        try:
            graph = graph_of_project(drawn, Path("/"))
        except FlowError:
            return  # two nodes of one name
        again = graph_of_project(project_of(graph, Path("/x")), Path("/"))
        assert again.digest == graph.digest


class TestScripts:
    @pytest.mark.parametrize("method", METHODS)
    def test_a_script_opens_as_its_flow(self, method: str, data: Path, tmp_path: Path) -> None:
        original = read_flow(save(alone(method), data / f"{method}.json"))
        script = tmp_path / "scripts" / "mine.py"
        script.parent.mkdir()
        script.write_text(build(original).script_for(script.parent).text)
        assert meaning(read_flow(script)) == meaning(original)
        assert build(read_flow(script)).script_for(script.parent).text.count(OPENING) == 1

    def test_code_that_looks_like_the_comment(self, data: Path, tmp_path: Path) -> None:
        code = f"def reward(completions, **kwargs):\n    return [0.0]\n{OPENING}\n# AAAA\n"
        kind, params = TRAINERS["grpo"]
        drawn = draw(
            "base -> grpo, rows -> grpo, r -> grpo",
            base=BASE,
            rows=ROWS["grpo"],
            r=node(RewardFunction, code=code),
            grpo=(kind, params),
        )
        script = tmp_path / "s.py"
        script.write_text(program(drawn, data).script_for(tmp_path).text)
        assert read_flow(script).by_name["r"].given["code"] == code

    def test_editing_a_script_around_it_does_no_harm(self, data: Path, tmp_path: Path) -> None:
        script = tmp_path / "s.py"
        text = program(alone("sft"), data).script_for(tmp_path).text
        script.write_bytes(text.replace("\n", "\r\n").encode() + b"\r\n\r\nprint('mine')\r\n")
        assert [step.name for step in read_flow(script).steps] == ["base", "rows", "sft", "final"]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("print(1)", "contains no flow (it has none at its end); give a Ryven project"),
            (f"{OPENING}\n# !!", "contains no flow (it is broken: "),
            (f"{OPENING}\n", "contains no flow (it is incomplete, or too large)"),
            (f"{OPENING}\n# " + base64.b64encode(b"no zlib").decode(), "contains no flow (it is broken: "),
            (flow_comment({"a": 1})[:-8], "contains no flow ("),
            (flow_comment({"flows": {}}), "contains no flow"),
        ],
    )
    def test_what_carries_none(self, text: str, why: str, tmp_path: Path) -> None:
        (tmp_path / "s.py").write_text(text)
        with pytest.raises(FlowError) as caught:
            read_project(tmp_path / "s.py")
        assert why in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_bomb_is_not_unpacked(self) -> None:
        bomb = base64.b64encode(zlib.compress(b" " * (LARGEST + 1), 9)).decode()
        with pytest.raises(ValueError, match="too large"):
            flow_in_script(f"{OPENING}\n# {bomb}")

    def test_round_trip(self) -> None:
        project = {"flows": {"é\u2028": {"nodes": ["\ud800", None, 1.5]}}}
        assert flow_in_script("x = 1\n" + flow_comment(project) + "\n") == json.loads(json.dumps(project))
