"""What every node declares, so that a menu, a form and a check can be made from it."""

from __future__ import annotations

import ast
import inspect

import pytest
from ryvencore import Node

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
from ryven_llm_nodes.catalogue.node import stored
from ryven_llm_nodes.catalogue.parameters import UNKNOWN
from ryven_llm_nodes.program.names import identifier, reserved

KINDS = {"model", "dataset", "reward", "adapter", "tools", "environment", "report", "metrics", "rollout"}
LEFT = {"", "model", "report", "file"}


@pytest.mark.parametrize("node", ALL_NODES, ids=lambda node: node.__name__)
class TestEveryNode:
    def test_is_a_node_of_ryvencore(self, node: type[LLMNode]) -> None:
        assert issubclass(node, Node)
        assert inspect.getsource(node)  # which Ryven shows

    def test_title_and_tags(self, node: type[LLMNode]) -> None:
        assert node.title
        assert len(node.tags) >= 3
        assert all(tag == tag.lower() for tag in node.tags)

    def test_what_it_leaves_behind_has_a_place(self, node: type[LLMNode]) -> None:
        assert node.leaves in LEFT
        assert bool(node.leaves) == (node.is_stage or bool(node.writes))
        assert not node.writes or node.writes in node.all_parameters()

    def test_summary_is_one_sentence_in_one_line(self, node: type[LLMNode]) -> None:
        assert node.summary().endswith(".")
        assert "\n" not in node.summary()
        assert '"""' not in node.summary()

    def test_stem_names_it(self, node: type[LLMNode]) -> None:
        assert identifier(node.stem, "?") == node.stem
        assert node.stem not in reserved()

    def test_ports(self, node: type[LLMNode]) -> None:
        for ports, made in ((node.in_ports, node.init_inputs), (node.out_ports, node.init_outputs)):
            assert len({port.name for port in ports}) == len(ports)
            assert {port.kind for port in ports} <= KINDS
            assert [port.label for port in ports] == [port.label for port in made]

    def test_parameters_have_help(self, node: type[LLMNode]) -> None:
        for parameter in node.parameters:
            assert parameter.help.endswith("."), parameter.name

    def test_defaults_pass_their_own_check(self, node: type[LLMNode]) -> None:
        for name, parameter in node.all_parameters().items():
            if parameter.default is not UNKNOWN and not (parameter.required and parameter.default == ""):
                assert parameter.problem(parameter.default) is None, name

    def test_parameter_names_are_unique_and_not_ports(self, node: type[LLMNode]) -> None:
        names = [parameter.name for parameter in node.parameters]
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() for name in names)

    def test_identifier_does_not_grow(self, node: type[LLMNode]) -> None:
        node._build_identifier()
        node._build_identifier()
        assert node.identifier == f"ryven_llm_nodes.{node.__name__}"

    def test_unknown_parameter(self, node: type[LLMNode]) -> None:
        complaints = dict(node.parameter_complaints({"no_such_thing": 1}))
        assert "no such" in complaints["no_such_thing"]

    def test_choices_are_tuples(self, node: type[LLMNode]) -> None:
        """A form adds to them."""
        assert {type(parameter.choices) for parameter in node.all_parameters().values()} <= {tuple}

    def test_stores_plain_json(self, node: type[LLMNode]) -> None:
        one, other = (node.__new__(node) for _ in range(2))
        one.name, one.params = "x", {"a": [1, {"b": None}]}
        other.load_additional_data(one.additional_data())
        assert (other.name, other.params) == ("x", {"a": [1, {"b": None}]})


def test_titles_and_stems_are_unique() -> None:
    for values in ([n.title for n in ALL_NODES], [n.stem for n in ALL_NODES], [n.__name__ for n in ALL_NODES]):
        assert len(set(values)) == len(ALL_NODES)


def test_the_nodes_of_the_default_flow_are_there_in_the_order_of_a_pipeline() -> None:
    titles = [node.title for node in ALL_NODES]
    wanted = [
        "Load Model",
        "Load Dataset",
        "Reward Function",
        "Reward Model",
        "Combine Rewards",
        "LoRA",
        "SFT",
        "PPO",
        "DPO",
        "GRPO",
        "Save Model",
        "Export Script",
    ]
    assert [title for title in titles if title in wanted] == wanted
    assert len(set(titles)) == len(titles)


def test_a_typo_gets_a_suggestion() -> None:
    sft = next(node for node in ALL_NODES if node.title == "SFT")
    ((place, message),) = sft.parameter_complaints({"learning_rat": 1e-5})
    assert place == "learning_rat"
    assert message == "SFTConfig has no such field. Did you mean 'learning_rate'?"


@pytest.mark.parametrize("hostile", [None, [], "x", 1, {"name": 1, "params": []}, {"params": {1: 2}}, {"name": None}])
def test_stored_data_of_any_shape(hostile: object) -> None:
    assert stored(hostile) == ("", {})


def test_values_of_a_wrong_type_are_kept_for_the_check() -> None:
    assert stored({"name": "a", "params": {"path": 1}}) == ("a", {"path": 1})


def test_node_classes_are_written_out() -> None:
    """Ryven calls inspect.getsource on them: they must not be made by calling type()."""
    for node in ALL_NODES:
        (tree,) = ast.parse(inspect.getsource(node)).body
        assert isinstance(tree, ast.ClassDef)
        assert tree.name == node.__name__
