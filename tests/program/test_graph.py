"""Order, cycles, parts and the hash of a graph."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from flows import BASE, FAST, ROWS, alone, chain, draw, graph, node
from hypothesis import given, settings
from hypothesis import strategies as st

from ryven_llm_nodes.catalogue import DPO, PPO, SFT, CombineRewards, LengthReward, LoadDataset, LoadModel, SaveModel
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program.graph import Graph, Step, Wire

HERE = Path()


def order(drawn: Any) -> list[str]:
    """The names of the steps as they run."""
    return [step.name for step in graph(drawn, HERE).order]


def stage(name: str, *sources: str) -> Step:
    """A step that reads the models of others."""
    ports = ("model", "reference", "third")
    return Step(name, DPO, {}, {port: Wire(source, "model") for port, source in zip(ports, sources, strict=False)})


class TestOrder:
    def test_sources_first_whatever_the_order_of_the_list(self) -> None:
        drawn = draw("base -> a, a -> b, rows -> a, rows -> b", b=node(SFT), a=node(SFT), rows=ROWS["sft"], base=BASE)
        assert order(drawn) == ["rows", "base", "a", "b"]

    def test_otherwise_as_listed(self) -> None:
        assert order(draw(c=BASE, a=BASE, b=BASE)) == ["c", "a", "b"]

    def test_a_branch(self) -> None:
        found = order(chain(lora=True))
        assert [name for name in found if name in ("sft", "ppo", "dpo", "grpo", "final")] == [
            "sft",
            "ppo",
            "dpo",
            "grpo",
            "final",
        ]
        assert found.index("lora") < found.index("sft")

    @given(st.data())
    @settings(max_examples=50)
    def test_every_step_after_what_it_reads(self, data: st.DataObject) -> None:
        steps = [
            stage(
                f"s{i}",
                *data.draw(st.lists(st.sampled_from([f"s{k}" for k in range(i)]), max_size=2) if i else st.just([])),
            )
            for i in range(data.draw(st.integers(1, 12)))
        ]
        shuffled = Graph("g", tuple(data.draw(st.permutations(steps))), HERE)
        done: set[str] = set()
        for step in shuffled.order:
            assert {wire.step for wire in step.wires.values()} <= done
            done.add(step.name)
        assert len(done) == len(steps)

    def test_a_long_chain_needs_no_recursion(self) -> None:
        steps = [stage("s0"), *(stage(f"s{i}", f"s{i - 1}") for i in range(1, 5000))]
        assert Graph("g", tuple(reversed(steps)), HERE).order[-1].name == "s4999"


class TestCycle:
    @pytest.mark.parametrize(
        ("steps", "loop"),
        [
            ([stage("a", "a")], "a -> a"),
            ([stage("a", "b"), stage("b", "a")], "a -> b -> a"),
            ([stage("x"), stage("a", "x", "c"), stage("b", "a"), stage("c", "b"), stage("y", "c")], "a -> b -> c -> a"),
        ],
    )
    def test_is_named(self, steps: list[Step], loop: str) -> None:
        with pytest.raises(FlowError) as caught:
            _ = Graph("g", tuple(steps), HERE).order
        (problem,) = caught.value.problems
        assert problem.message == f"its output leads back to itself ({loop}); remove one of these wires."
        assert problem.node == "DPO 'a'"
        assert problem.step == "a"


class TestDigest:
    def digest(self, drawn: Any) -> str:
        return graph(drawn, HERE).digest

    def test_where_nodes_lie_does_not_matter(self) -> None:
        drawn = chain()
        moved = copy.deepcopy(drawn)
        for placed in moved["flows"]["chain"]["nodes"]:
            placed |= {"pos x": -7.5, "pos y": 1e6, "GID": placed["GID"] + 100}
        assert self.digest(moved) == self.digest(drawn)

    def test_nor_the_order_of_wires_or_parameters_or_the_folder(self, tmp_path: Path) -> None:
        drawn = chain()
        turned = copy.deepcopy(drawn)
        turned["flows"]["chain"]["connections"].reverse()
        for placed in turned["flows"]["chain"]["nodes"]:
            data = placed["additional data"]
            data["params"] = dict(reversed(data["params"].items()))
        assert self.digest(turned) == graph(drawn, tmp_path, "other.json").digest

    @pytest.mark.parametrize(
        "other",
        [
            alone("sft", max_steps=3),
            alone("sft", seed=1),
            alone("sft", lora=True),
            draw("base -> sft, rows -> sft", "sft", base=BASE, rows=ROWS["sft"], sft=node(SFT, **FAST)),
            draw(
                "base -> x, rows -> x, x -> final",
                "sft",
                base=BASE,
                rows=ROWS["sft"],
                x=node(SFT, **FAST),
                final=node(SaveModel),
            ),
        ],
    )
    def test_what_it_means_does(self, other: Any) -> None:
        assert self.digest(other) != self.digest(alone("sft"))

    def test_is_the_same_in_every_process(self) -> None:
        assert self.digest(draw(title="t", m=node(LoadModel, path="a"))) == (
            "d0520e008475c9cbb9908a0d4faa76ea8af67e73c8b5ed26834c03630338f0dc"
        )

    def test_text_that_is_no_unicode(self) -> None:
        assert len(self.digest(draw(title="\ud800", m=node(LoadModel, path="\udfff")))) == 64


def test_the_stage_that_scores_with_a_reward() -> None:
    nodes = {"prompts": node(LoadDataset, path="ppo.jsonl"), "length": node(LengthReward), "both": node(CombineRewards)}
    wires = "base -> ppo, prompts -> ppo, length.reward -> both.reward_1, both.reward -> ppo.reward"
    drawn = graph(draw(wires, base=node(LoadModel), **nodes, ppo=node(PPO), unused=node(LengthReward)), HERE)
    for name, stage in {"length": "ppo", "both": "ppo", "unused": None}.items():
        found = drawn.scored_by(drawn.by_name[name])
        assert (found and found.name) == stage


def test_all_stages_that_score_with_a_reward() -> None:
    nodes = {"prompts": node(LoadDataset, path="ppo.jsonl"), "length": node(LengthReward), "base": node(LoadModel)}
    wires = "base -> second, prompts -> second, length -> second, base -> first, prompts -> first, length -> first"
    drawn = graph(draw(wires, **nodes, first=node(PPO), second=node(PPO)), HERE)
    assert {step.name for step in drawn.scorers(drawn.by_name["length"])} == {"first", "second"}
    assert list(drawn.scorers(drawn.by_name["prompts"])) == []


def test_upstream_keeps_what_is_needed() -> None:
    part = graph(chain(lora=True), HERE).upstream(["ppo"])
    assert {step.name for step in part.steps} == {"base", "sft_rows", "sft", "ppo_rows", "ppo", "variety", "lora"}
