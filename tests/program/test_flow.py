"""Reading Ryven's projects, whatever a file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flows import BASE, FAST, ROWS, alone, chain, draw, node, save
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ryven_llm_nodes.catalogue import DPO, SFT, LoadModel
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.program.flow import graph_of
from ryven_llm_nodes.program.graph import Wire


def refusal(path: Path, content: str | bytes | None = None, title: str | None = None) -> str:
    """What is said about a file that is no flow, in one line."""
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    with pytest.raises(FlowError) as caught:
        read_flow(path, title)
    assert "\n" not in str(caught.value.problems[0])
    return str(caught.value)


class TestGoodFiles:
    def test_nodes_wires_and_values(self, tmp_path: Path) -> None:
        found = read_flow(save(alone("sft", lora=True), tmp_path / "f.json"))
        assert [step.name for step in found.steps] == ["base", "rows", "sft", "lora", "final"]
        sft = found.by_name["sft"]
        assert sft.node is SFT
        assert dict(sft.given) == dict(FAST)
        assert dict(sft.wires) == {
            "model": Wire("base", "model"),
            "dataset": Wire("rows", "dataset"),
            "adapter": Wire("lora", "adapter"),
        }
        assert (found.title, found.source, found.root) == ("sft", "f.json", tmp_path)
        assert [step.index for step in found.steps] == [0, 1, 2, 3, 4]

    def test_a_branch(self, tmp_path: Path) -> None:
        dpo = read_flow(save(chain(), tmp_path / "f.json")).by_name["dpo"]
        assert (dpo.wires["model"].step, dpo.wires["reference"].step) == ("ppo", "sft")

    def test_one_of_several_flows(self, tmp_path: Path) -> None:
        both = alone("sft")
        both["flows"] |= alone("dpo")["flows"]
        file = save(both, tmp_path / "f.json")
        assert read_flow(file, "dpo").title == "dpo"
        assert refusal(file).endswith("contains 2 flows ('sft', 'dpo'); choose one with --flow.")
        assert refusal(file, title="dpp").endswith("contains no flow 'dpp'. Did you mean 'dpo'?")

    def test_control_characters_inside_text(self, tmp_path: Path) -> None:
        (tmp_path / "f.json").write_text('{"flows": {"a\tb": {"nodes": []}}}')
        assert read_flow(tmp_path / "f.json").title == "a\tb"

    def test_a_relative_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        save(alone("sft"), tmp_path / "f.json")
        monkeypatch.chdir(tmp_path)
        assert read_flow(Path("f.json")).root == tmp_path.resolve()


class TestNoFlow:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (
                "",
                "is not JSON (Expecting value: line 1 column 1 (char 0)); give a Ryven project, an exported script, "
                "or the folder of a model or a run.",
            ),
            ("{", "is not JSON"),
            ("import os", "is not JSON"),
            (b"\xff\xfe", "is not JSON"),
            ("\ufeff{}", "is not JSON"),
            ("[" * 1_000_000, "is not JSON"),
            ('{"flows": ' + "1" * 1_000_000 + "}", "is not JSON"),
            ("[]", "is not a Ryven project: it has no 'flows'."),
            ("null", "is not a Ryven project"),
            ("NaN", "is not a Ryven project"),
            ('"x"', "is not a Ryven project"),
            ("{}", "is not a Ryven project"),
            ('{"flows": null}', "is not a Ryven project"),
            ('{"flows": []}', "is not a Ryven project"),
            ('{"flows": {"a": 1}}', "is not a Ryven project"),
            ('{"flows": {}}', "contains no flow; open it in the editor and add one."),
        ],
    )
    def test_refused(self, content: str | bytes, message: str, tmp_path: Path) -> None:
        said = refusal(tmp_path / "f.json", content)
        assert said.startswith(str(tmp_path / "f.json"))
        assert message in said
        assert len(said) < 600

    def test_no_file(self, tmp_path: Path) -> None:
        assert "does not exist; give a Ryven project" in refusal(tmp_path / "none.json")

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "flow.json: does not exist; give a Ryven project" in refusal(tmp_path)

    def test_a_path_that_cannot_be(self, tmp_path: Path) -> None:
        assert "does not exist; give a Ryven project" in refusal(tmp_path / ("x" * 5000))

    def test_a_file_beyond_all_measure(self, tmp_path: Path) -> None:
        with (tmp_path / "f.json").open("wb") as file:
            file.truncate(2**30)  # sparse
        assert "is larger than 64 MB" in refusal(tmp_path / "f.json")


def flow_problems(data: Any) -> list[str]:
    """What is wrong with a flow's stored data."""
    try:
        build(graph_of(data, "t", Path()))
    except FlowError as error:
        return [str(problem) for problem in error.problems]
    return []


def placed(*kinds: Any, **more: Any) -> dict[str, Any]:
    """A flow with nodes of these identifiers."""
    return {"nodes": [{"identifier": kind} for kind in kinds], **more}


class TestWrongFlows:
    def test_an_unknown_node(self) -> None:
        first, second = flow_problems(placed("ryven_llm_nodes.SFTT", "other.Node"))
        assert first.startswith("node 1: unknown node 'ryven_llm_nodes.SFTT'. Did you mean 'ryven_llm_nodes.SFT'?")
        assert second.startswith("node 2: unknown node 'other.Node'. Remove it, or install the version that has it; ")

    @pytest.mark.parametrize("kind", [None, 1, [], {}, True, "", "x" * 10**6, float("nan")])
    def test_an_identifier_of_any_shape(self, kind: Any) -> None:
        (wrong,) = flow_problems(placed(kind))
        assert wrong.startswith("node 1: unknown node ")
        assert len(wrong) < 400

    @pytest.mark.parametrize("nodes", [None, 1, "x", {}, True])
    def test_no_list_of_nodes(self, nodes: Any) -> None:
        (wrong,) = flow_problems({"nodes": nodes})
        assert wrong == "the flow is empty; add a Load Model node and a trainer."

    @pytest.mark.parametrize(
        "ports", [(0, 9), (9, 0), (-1, 0), (0, -1), (True, 0), (0, None), ("0", 0), (0, 0.0), (0, 10**40)]
    )
    def test_a_port_that_there_is_not(self, ports: tuple[Any, Any]) -> None:
        wire = {"parent node index": 0, "connected node": 1}
        wire |= {"output port index": ports[0], "connected input port index": ports[1]}
        found = flow_problems(placed("ryven_llm_nodes.LoadModel", "ryven_llm_nodes.SFT", connections=[wire]))
        assert found[0] == "SFT 'sft': a wire leads to a port that does not exist; draw it again."

    def test_a_port_of_another_kind(self) -> None:
        drawn = draw("base -> sft", base=BASE, sft=node(SFT))["flows"]["flow"]
        drawn["connections"][0]["connected input port index"] = 1
        assert flow_problems(drawn)[0] == (
            "SFT 'sft' > dataset: takes a dataset, but is connected to the model of Load Model 'base'; "
            "connect it to a dataset."
        )

    @pytest.mark.parametrize(
        "wire", [None, 1, [], {}, {"parent node index": 0}, {"parent node index": 0, "connected node": 7}]
    )
    def test_a_wire_of_no_node_is_none(self, wire: Any) -> None:
        kind = placed("ryven_llm_nodes.LoadModel", connections=[wire])
        assert flow_problems(kind) == flow_problems(placed("ryven_llm_nodes.LoadModel"))

    def test_all_problems_of_all_nodes_at_once(self) -> None:
        wire = {"parent node index": 1, "connected node": 2, "output port index": 5, "connected input port index": 5}
        kinds = ("a.B", "ryven_llm_nodes.LoadModel", "ryven_llm_nodes.SFT", None)
        assert len(flow_problems(placed(*kinds, connections=[wire]))) == 3


class TestHostileValues:
    @pytest.mark.parametrize(
        "additional",
        [None, 1, "x", [], {"name": None}, {"name": []}, {"params": 1}, {"params": []}, {"name": "", "params": None}],
    )
    def test_data_of_any_shape(self, additional: Any) -> None:
        data = {"nodes": [{"identifier": "ryven_llm_nodes.LoadModel", "additional data": additional}]}
        assert [line.split(" > ")[1][:15] for line in flow_problems(data)] == ["path: is empty;"]

    @pytest.mark.parametrize("value", [1, True, None, [], {}, float("nan"), pytest.param(10**5000, id="huge")])
    def test_a_value_of_a_wrong_type_is_named(self, value: Any) -> None:
        (wrong,) = flow_problems(draw(m=node(LoadModel, path=value))["flows"]["flow"])
        assert wrong.startswith("Load Model 'm' > path: must be text, got ")

    def test_nesting_without_end(self) -> None:
        deep: Any = []
        for _ in range(100_000):
            deep = [deep]
        found = flow_problems(draw(m=node(LoadModel, path=deep), d=node(DPO, loss_type=deep))["flows"]["flow"])
        assert all(len(line) < 300 for line in found)
        assert any("loss_type" in line for line in found)

    def test_a_monster_of_a_parameter_name(self) -> None:
        found = flow_problems(draw(m=node(LoadModel, path="a/b", **{"x\n" * 10**5: 1}))["flows"]["flow"])
        assert len(found) == 1
        assert len(found[0]) < 300
        assert "\n" not in found[0]


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
SOMETHING = st.fixed_dictionaries(
    {},
    optional={
        "identifier": st.sampled_from(["ryven_llm_nodes.LoadModel", "ryven_llm_nodes.SFT", "ryven_llm_nodes.LoRA"])
        | SHAPES,
        "additional data": st.fixed_dictionaries(
            {"name": SHAPES, "params": st.dictionaries(st.sampled_from(["path", "r", "seed", "x"]), SHAPES) | SHAPES}
        )
        | SHAPES,
    },
)
INDEX = st.integers(-1, 4) | SHAPES
WIRES = st.fixed_dictionaries(
    {
        "parent node index": INDEX,
        "connected node": INDEX,
        "output port index": INDEX,
        "connected input port index": INDEX,
    }
)


@given(
    st.fixed_dictionaries(
        {"nodes": st.lists(SOMETHING, max_size=4), "connections": st.lists(WIRES | SHAPES, max_size=4)}
    )
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_flow_is_read_or_refused_in_plain_lines(data: Any) -> None:
    for line in flow_problems(data):
        assert "\n" not in line


@given(SHAPES)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(data))
    refusal(path)


class TestBypassed:
    """Nodes that the flow goes past."""

    def read(self, drawn: dict[str, Any], *names: str) -> Any:
        (flow,) = drawn["flows"].values()
        for stored in flow["nodes"]:
            if stored["additional data"]["name"] in names:
                stored["additional data"]["bypassed"] = True
        return graph_of(flow, "flow", Path())

    def test_what_comes_in_is_what_goes_out(self) -> None:
        found = self.read(chain(), "ppo", "dpo")
        assert [step.name for step in found.steps if step.node.is_stage] == ["sft", "grpo"]
        assert found.by_name["grpo"].wires["model"] == Wire("sft", "model")
        assert found.by_name["grpo"].index == chain_index("grpo")

    def test_what_has_nothing_of_the_kind_gives_nothing(self) -> None:
        found = self.read(alone("sft", lora=True), "lora", "rows")
        assert set(found.by_name["sft"].wires) == {"model"}

    def test_a_circle_of_them_ends(self) -> None:
        kinds = {name: node(SFT) for name in ("one", "two", "end")}
        found = self.read(draw("two -> one.model, one -> two.model, two -> end.model", **kinds), "one", "two")
        assert dict(found.by_name["end"].wires) == {}

    def test_the_meaning_is_that_without_them(self) -> None:
        without = draw("base -> sft, rows -> sft", "sft", base=BASE, rows=ROWS["sft"], sft=node(SFT))
        past = draw("base -> first, first -> sft, rows -> sft", "sft", base=BASE, first=node(SFT), rows=ROWS["sft"],
                    sft=node(SFT))  # fmt: skip
        assert {step.name: dict(step.wires) for step in self.read(past, "first").steps} == {
            step.name: dict(step.wires) for step in self.read(without).steps
        }

    def test_only_true_is_true(self) -> None:
        drawn = alone("sft")
        (flow,) = drawn["flows"].values()
        for stored in flow["nodes"]:
            stored["additional data"]["bypassed"] = "yes"
        assert len(graph_of(flow, "flow", Path()).steps) == len(flow["nodes"])


def chain_index(name: str) -> int:
    (flow,) = chain()["flows"].values()
    return next(i for i, one in enumerate(flow["nodes"]) if one["additional data"]["name"] == name)
