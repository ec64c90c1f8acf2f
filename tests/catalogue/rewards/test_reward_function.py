"""Reward Function, Reward Model, Combine Rewards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flows import BASE, REWARD, ROWS, draw, node, problems, program

from ryven_llm_nodes.catalogue import GRPO, PPO, CombineRewards, RewardFunction, RewardModel
from ryven_llm_nodes.catalogue.values import RewardValue


def parts(drawn: Any, name: str, root: Path) -> list[tuple[str, float]]:
    """Expressions and weights of the rewards that a node stands for."""
    value = program(drawn, root).cells[name].values["reward"]
    assert isinstance(value, RewardValue)
    return [(part.expression, part.weight) for part in value.parts]


class TestRewardFunction:
    def test_the_template_scores(self) -> None:
        namespace: dict[str, Any] = {}
        exec(program(draw(score=node(RewardFunction)), Path()).cells["score"].definition, namespace)
        conversation = [{"role": "assistant", "content": "one two"}]
        assert namespace["score"](completions=["a a a b", conversation, ""], prompts=[], extra=1) == [0.5, 1.0, 0.0]

    def test_is_called_after_its_node(self) -> None:
        assert parts(draw(score=node(RewardFunction, code=REWARD)), "score", Path()) == [("score", 1.0)]

    def test_without_a_name_it_is_called_after_the_function(self) -> None:
        assert "variety" in program(draw(**{"": node(RewardFunction, code=REWARD)}), Path()).cells

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"code": "def f(:"}, "syntax error in line 1"),
            ({"code": "x = 1"}, "defines no function"),
            ({"code": "def f(completions): ..."}, "f() must accept **kwargs"),
            (
                {"code": "import os as main\n" + REWARD},
                "imports 'main', a name that the script itself uses for something",
            ),
        ],
    )
    def test_complaint(self, params: dict[str, str], message: str) -> None:
        (wrong,) = problems(draw(score=node(RewardFunction, **params)), Path())
        assert wrong.startswith("Reward Function 'score' > code: ")
        assert message in wrong

    def test_a_function_that_there_is_not(self) -> None:
        (wrong,) = problems(draw(score=node(RewardFunction, code=REWARD, function="varied")), Path())
        assert (
            wrong
            == "Reward Function 'score' > function: the code defines no function 'varied'. Did you mean 'variety'?"
        )

    @pytest.mark.parametrize(
        "line", ["import os", "import torch", "from pathlib import Path", "from typing import Callable"]
    )
    def test_may_import_what_the_script_imports(self, line: str) -> None:
        assert problems(draw(score=node(RewardFunction, code=f"{line}\n{REWARD}")), Path()) == []

    def test_two_with_the_same_code_do_not_clash(self) -> None:
        assert problems(draw(a=node(RewardFunction, code=REWARD), b=node(RewardFunction, code=REWARD)), Path()) == []

    def test_helpers_of_two_clash(self) -> None:
        code = "def helper(): ...\n" + REWARD
        (wrong,) = problems(draw(a=node(RewardFunction, code=code), b=node(RewardFunction, code=code)), Path())
        assert "defines 'helper', a name that Reward Function 'a' uses too; rename it." in wrong

    @pytest.mark.parametrize("line", ["base = 1", "import math as base", "def ppo_config(): ..."])
    def test_names_of_other_steps_clash(self, line: str, data: Path) -> None:
        nodes = {
            "base": BASE,
            "rows": ROWS["ppo"],
            "score": node(RewardFunction, code=f"{line}\n{REWARD}"),
            "ppo": node(PPO),
        }
        (wrong,) = problems(draw("base -> ppo, rows -> ppo, score -> ppo", **nodes), data)
        assert "a name that" in wrong
        assert "'base'" in wrong or "'ppo'" in wrong

    def test_async_and_a_threshold_do_not_go_together(self, data: Path) -> None:
        code = REWARD.replace("def", "async def")
        for threshold, count in ((0.5, 1), (None, 0)):
            grpo = node(GRPO, reward_threshold=threshold)
            nodes = {"base": BASE, "rows": ROWS["grpo"], "score": node(RewardFunction, code=code), "grpo": grpo}
            assert len(problems(draw("base -> grpo, rows -> grpo, score -> grpo", **nodes), data)) == count


class TestRewardModel:
    def test_only_what_is_not_default_is_spelled_out(self, data: Path) -> None:
        assert parts(draw(rm=node(RewardModel, path="a/b")), "rm", data) == [('RewardModel("a/b", name="rm")', 1.0)]
        given = {"path": "a/b", "revision": "v1", "batch_size": 2, "dtype": "bfloat16", "trust_remote_code": True}
        ((expression, _),) = parts(draw(rm=node(RewardModel, **given)), "rm", data)
        for text in ('revision="v1"', "batch_size=2", 'dtype="bfloat16"', "trust_remote_code=True"):
            assert text in expression

    def test_a_folder(self, data: Path) -> None:
        ((expression, _),) = parts(draw(rm=node(RewardModel, path="model")), "rm", data)
        assert expression == 'RewardModel(str(ROOT / "model"), name="rm")'

    def test_a_folder_that_is_none(self, data: Path) -> None:
        (wrong,) = problems(draw(rm=node(RewardModel, path="./none")), data)
        assert wrong.startswith("Reward Model 'rm' > path: the model folder './none' does not exist")


class TestCombineRewards:
    NODES = {"a": node(RewardFunction, code=REWARD), "b": node(RewardModel, path="x/y")}

    def test_weights(self, data: Path) -> None:
        drawn = draw("a -> mix, b -> mix", **self.NODES, mix=node(CombineRewards, weight_2=0.5))
        assert [weight for _, weight in parts(drawn, "mix", data)] == [1.0, 0.5]

    def test_weights_of_combinations_multiply(self, data: Path) -> None:
        mixes = {"mix": node(CombineRewards, weight_2=0.5), "total": node(CombineRewards, weight_1=0.5)}
        drawn = draw("a -> mix, b -> mix, mix -> total, a -> total", **self.NODES, **mixes)
        assert [weight for _, weight in parts(drawn, "total", data)] == [0.5, 0.25, 1.0]

    def test_the_first_input_is_needed(self) -> None:
        (wrong,) = problems(draw(mix=node(CombineRewards)), Path())
        assert wrong == "Combine Rewards 'mix' > reward 1: this input is not connected; connect a reward to it."
