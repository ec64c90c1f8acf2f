"""The fields that are read from source are those of the imported classes."""

from __future__ import annotations

import dataclasses
import importlib

import pytest
from flows import CONFIGS

from ryven_llm_nodes.catalogue.parameters import UNKNOWN
from ryven_llm_nodes.catalogue.training.fields import EVERY_TYPE, ConfigClass
from ryven_llm_nodes.errors import LLMNodesError

MODULES = {"PPOConfig": "ryven_llm_nodes.runtime.ppo"}


def declared(config: str) -> dict[str, dataclasses.Field]:
    """The fields of the imported class that its constructor takes."""
    found = getattr(importlib.import_module(MODULES.get(config, "trl")), config)
    return {field.name: field for field in dataclasses.fields(found) if field.init}


@pytest.mark.parametrize("config", CONFIGS)
class TestAgainstImportedClass:
    def test_names(self, config: str) -> None:
        assert set(CONFIGS[config].fields) == set(declared(config))

    def test_defaults(self, config: str) -> None:
        read = CONFIGS[config].fields
        for name, field in declared(config).items():
            if read[name].default is UNKNOWN:
                assert field.default is dataclasses.MISSING or not isinstance(field.default, bool | int | float)
            else:
                assert (read[name].default, type(read[name].default)) == (field.default, type(field.default)), name

    def test_few_defaults_are_computed(self, config: str) -> None:
        computed = {name for name, field in CONFIGS[config].fields.items() if field.default is UNKNOWN}
        assert computed <= {"optim", "include_for_metrics", "loss_type"}

    def test_help(self, config: str) -> None:
        read = CONFIGS[config].fields
        for name, field in declared(config).items():
            assert read[name].help == field.metadata.get("help", "").replace("%%", "%"), name

    def test_every_default_passes_its_own_check(self, config: str) -> None:
        for name, field in CONFIGS[config].fields.items():
            if field.default is not UNKNOWN:
                assert field.problem(field.default) is None, name

    def test_every_annotation_is_understood(self, config: str) -> None:
        assert [name for name, field in CONFIGS[config].fields.items() if field.types == EVERY_TYPE] == []


def test_types_of_well_known_fields() -> None:
    fields = CONFIGS["GRPOConfig"].fields
    assert fields["seed"].types == (int,)
    assert fields["bf16"].types == (bool, type(None))
    assert set(fields["model_init_kwargs"].types) == {dict, type(None)}  # limits.py: no text of a command line
    assert set(fields["reward_weights"].types) == {list, type(None)}


def test_choices_of_a_literal() -> None:
    field = CONFIGS["SFTConfig"].fields["packing_strategy"]
    if field.choices:
        assert field.default in field.choices
        assert "must be one of" in str(field.problem("nothing like it"))


def test_the_classes_own_fields_come_first() -> None:
    assert list(CONFIGS["DPOConfig"].fields).index("beta") < list(CONFIGS["DPOConfig"].fields).index("seed")


def test_a_library_that_is_not_there_is_named() -> None:
    with pytest.raises(LLMNodesError, match=r"no_such_library.*not installed.*install trl"):
        ConfigClass("NoConfig", ("no_such_library/config.py:NoConfig",)).fields  # noqa: B018


def test_a_class_that_has_moved_is_named() -> None:
    with pytest.raises(LLMNodesError, match="cannot read the fields of Moved"):
        ConfigClass("Moved", ("trl/trainer/sft_config.py:Moved",)).fields  # noqa: B018
