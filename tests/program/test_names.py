"""Names of steps: unique, Python identifiers, and nobody else's."""

from __future__ import annotations

import keyword
from pathlib import Path

import pytest
from flows import BASE, METHODS, REWARD, alone, chain, draw, graph, node, program
from hypothesis import given
from hypothesis import strategies as st

from ryven_llm_nodes.catalogue import LoadModel, RewardFunction
from ryven_llm_nodes.catalogue.scopes import scope_of
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program.names import Names, identifier, names_of, reserved


def names(*given: str) -> list[str]:
    """What Load Model nodes with these names are called, in the order of the list."""
    drawn = draw(**{f"n{i}": BASE for i in range(len(given))})
    for placed, name in zip(drawn["flows"]["flow"]["nodes"], given, strict=True):
        placed["additional data"]["name"] = name
    return [step.name for step in graph(drawn, Path()).steps]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("SFT on docs", "sft_on_docs"),
        ("Überprüfung", "uberprufung"),
        ("数据", "base_model"),
        ("😀", "base_model"),
        ("", "base_model"),
        ("__", "base_model"),
        ("2nd", "base_model_2nd"),
        ("a-b.c/d", "a_b_c_d"),
        ("x" * 99, "x" * 40),
        ("class", "class_2"),
        ("print", "print_2"),
        ("torch", "torch_2"),
        ("Main", "main_2"),
        ("model", "model_2"),
        ("output dir", "output_dir_2"),
        ("resume", "resume_2"),
        ("\ud800", "base_model"),
        ("a\nb", "a_b"),
        ("ﬁne", "fine"),
    ],
)
def test_name(name: str, wanted: str) -> None:
    assert names(name) == [wanted]


def test_explicit_names_come_before_those_of_nameless_nodes() -> None:
    assert names("", "base_model", "") == ["base_model_2", "base_model", "base_model_3"]


def test_names_that_look_alike_stay_apart() -> None:
    assert names("a b", "a_b", "A-B") == ["a_b", "a_b_2", "a_b_3"]
    assert names("a_2", "a", "a!") == ["a_2", "a", "a_3"]


def test_a_step_is_not_called_like_the_function_of_another() -> None:
    assert names("x", "x_config") == ["x", "x_config_2"]
    assert names("x_config", "x") == ["x_config", "x_2"]


def test_two_nodes_of_the_same_name_are_a_problem() -> None:
    with pytest.raises(FlowError, match="Load Model 'same' > name: has the same name as a Load Model; rename one"):
        names("same", "same")


def test_a_nameless_reward_is_called_after_its_function() -> None:
    drawn = draw(**{"": node(RewardFunction, code=REWARD)})
    assert [step.name for step in graph(drawn, Path()).steps] == ["variety"]
    broken = draw(**{"": node(RewardFunction, code="def (")})
    assert [step.name for step in graph(broken, Path()).steps] == ["reward"]
    wrong = draw(**{"": node(RewardFunction, code=3)})
    assert [step.name for step in graph(wrong, Path()).steps] == ["reward"]


@given(st.lists(st.text(st.characters()) | st.sampled_from([*keyword.kwlist, "a", "a_config", "a_2"]), max_size=8))
def test_any_names_become_identifiers_that_differ(given: list[str]) -> None:
    claimed = Names()
    made = [claimed.claim(identifier(text, LoadModel.stem)) for text in given]
    taken = [name for step in made for name in names_of(step)]
    assert len(set(taken)) == len(taken)
    for name in taken:
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert name not in reserved()


def test_a_thousand_equal_names() -> None:
    claimed = Names()
    assert len({claimed.claim("sft") for _ in range(1000)}) == 1000


def test_a_step_is_called_like_nothing_in_a_script(data: Path) -> None:
    """Every name that scripts bind or look up, but those that are called after steps, is none for a step."""
    scripts = [program(drawn, data) for drawn in (chain(), chain(lora=True), *map(alone, METHODS))]
    for made in scripts:
        scope = scope_of(made.script.text)
        after_steps = {name for step in made.steps for name in names_of(step.name)}
        own = {name for cell in made.cells.values() for name in cell.defines}
        names = {name for name in scope.bound | scope.used | scope.locals["main"] if identifier(name, "") == name}
        assert names - after_steps - own <= reserved()
    assert "class" in reserved()
