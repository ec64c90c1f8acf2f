"""What is demanded beside annotations, held against the installed libraries."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import CONFIGS, node

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT
from ryven_llm_nodes.catalogue.methods.dpo import DIVERGENT
from ryven_llm_nodes.catalogue.parameters import UNKNOWN
from ryven_llm_nodes.catalogue.training.choices import compared, enumerated, keys, source
from ryven_llm_nodes.catalogue.training.limits import EVERY
from ryven_llm_nodes.catalogue.training.trainer import Trainer

DPO_CONFIG = "trl/trainer/dpo_config.py"


class TestChoices:
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("trainer_utils", "IntervalStrategy"),
            ("trainer_utils", "SaveStrategy"),
            ("trainer_utils", "HubStrategy"),
            ("trainer_utils", "SchedulerType"),
            ("training_args", "OptimizerNames"),
        ],
    )
    def test_of_an_enumeration(self, path: str, name: str) -> None:
        import importlib

        found: Any = getattr(importlib.import_module(f"transformers.{path}"), name)
        assert enumerated(f"transformers/{path}.py", name) == tuple(member.value for member in found)

    def test_of_a_dictionary(self) -> None:
        from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
        from transformers.training_args import trainer_log_levels

        path = "transformers/integrations/integration_utils.py"
        assert keys(path, "INTEGRATION_TO_CALLBACK") == tuple(INTEGRATION_TO_CALLBACK)
        assert set(CONFIGS["SFTConfig"].fields["log_level"].choices) == set(trainer_log_levels)

    @pytest.mark.parametrize(
        ("config", "name", "values"),
        [
            ("SFTConfig", "loss_type", {"nll", "dft"}),
            ("SFTConfig", "packing_strategy", {"bfd", "bfd_split", "wrapped"}),
            ("DPOConfig", "f_divergence_type", {"reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"}),
            ("GRPOConfig", "loss_type", {"grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"}),
            ("GRPOConfig", "scale_rewards", {"group", "batch", "none", True, False}),
            ("GRPOConfig", "importance_sampling_level", {"token", "sequence"}),
            ("GRPOConfig", "multi_objective_aggregation", {"sum_then_normalize", "normalize_then_sum"}),
            ("PPOConfig", "kl_estimator", {"k1", "k3"}),
        ],
    )
    def test_of_what_a_trainer_compares_with(self, config: str, name: str, values: set[Any]) -> None:
        """A new version may add some; what goes or comes is to be looked at."""
        assert set(CONFIGS[config].fields[name].choices) == values

    def test_of_dpos_losses_are_those_that_its_help_tells(self) -> None:
        field = CONFIGS["DPOConfig"].fields["loss_type"]
        assert {"sigmoid", "hinge", "ipo", "robust", "apo_zero", "sigmoid_norm", "sft"} <= set(field.choices)
        assert {f"'{choice}'" for choice in field.choices} <= set(re.findall(r"'\w+'", source(DPO_CONFIG)))

    def test_divergences_are_those_of_dpo(self) -> None:
        text = source("trl/trainer/dpo_trainer.py")
        (found,) = re.findall(r"f_divergence_loss_types = \{(.*?)\}", text)
        assert set(re.findall(r'"(\w+)"', found)) == DIVERGENT

    def test_nothing_is_found_where_nothing_is(self) -> None:
        assert enumerated("transformers/trainer_utils.py", "NoSuchEnumeration") == ()
        assert compared("trl/trainer/dpo_trainer.py", "no_such_field") == ()


@pytest.mark.parametrize("config", CONFIGS)
class TestTable:
    def test_names_only_fields_that_there_are(self, config: str) -> None:
        assert set(CONFIGS[config].limits) <= set(CONFIGS[config].fields)
        assert set(EVERY) <= set().union(*(found.fields for found in CONFIGS.values()))

    def test_admits_every_default(self, config: str) -> None:
        for field in CONFIGS[config].fields.values():
            if field.default is not UNKNOWN:
                assert field.problem(field.default) is None, field.name

    def test_choices_that_are_read_are_some(self, config: str) -> None:
        """A library that moved them would leave a field without any."""
        fields = CONFIGS[config].fields
        for name, limit in {**EVERY, **CONFIGS[config].limits}.items():
            if callable(limit) and name in fields:
                assert len(fields[name].choices) > 1, name


METHODS = {"sft": SFT, "dpo": DPO, "grpo": GRPO, "ppo": PPO}


def complaints(method: str, data: Path, **settings: Any) -> list[str]:
    return flows.problems(flows.alone(method, **settings), data)


class TestRules:
    @pytest.mark.parametrize(
        ("method", "field", "value", "message"),
        [
            ("sft", "lr_scheduler_type", "cosin", "got 'cosin'. Did you mean 'cosine'?"),
            (
                "sft",
                "logging_steps",
                1.5,
                "must be a whole number of steps, or a fraction of all steps below 1, got 1.5.",
            ),
            (
                "sft",
                "eval_strategy",
                "steps",
                "needs rows to evaluate on: connect a dataset to the input 'eval dataset'",
            ),
            ("sft", "dataloader_persistent_workers", True, "set dataloader_num_workers to 1 or more, or clear this."),
            ("sft", "padding_free", True, "set packing to true, or max_length to null."),
            ("sft", "lr_scheduler_kwargs", "{}", "must be a dictionary or null, got '{}'."),
            ("sft", "report_to", ["wandb", "x"], "got 'x'."),
            ("sft", "label_names", ["a", 1], "must be a list in which each item is text, got 1 in it."),
            ("sft", "optim_args", "x", "must be NAME=VALUE, NAME=VALUE, ..., got 'x'."),
            ("sft", "optim", "galore_adamw", "set optim_target_modules, such as all-linear."),
            ("sft", "local_rank", 0, "is set by the launcher (accelerate, torchrun) of each process; clear it. Got 0."),
            ("sft", "accelerator_config", "x.json", "'x.json' does not exist"),
            ("dpo", "loss_type", "hing", "Did you mean 'hinge'?"),
            ("dpo", "loss_type", [], "is empty; give at least one loss"),
            ("dpo", "loss_weights", [1.0, 2.0], "needs one weight for each loss of loss_type (1), got [1.0, 2.0]."),
            ("grpo", "reward_weights", [1.0, 2.0], "needs one weight for each of 1 reward, got [1.0, 2.0]"),
            ("grpo", "scale_rewards", "grup", "Did you mean 'group'?"),
            ("grpo", "sync_ref_model", True, "needs a reference model, which exists only if beta is above 0"),
            ("grpo", "auto_find_batch_size", True, "works with SFT and DPO only"),
        ],
    )
    def test_names_the_field(self, data: Path, method: str, field: str, value: Any, message: str) -> None:
        (problem,) = complaints(method, data, **{field: value})
        assert problem.startswith(f"{METHODS[method].title} {method!r} > {field}: ")
        assert message in problem

    @pytest.mark.parametrize(
        ("method", "settings"),
        [
            ("sft", {"padding_free": True, "packing": True}),
            ("sft", {"pad_to_multiple_of": 8}),
            ("sft", {"trackio_static_space_id": "me/space"}),
            ("sft", {"dataloader_persistent_workers": True, "dataloader_num_workers": 1}),
            ("dpo", {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5]}),
            ("dpo", {"loss_type": "hinge"}),
            ("grpo", {"reward_weights": [2.0]}),
            ("grpo", {"scale_rewards": False}),
        ],
    )
    def test_has_nothing_against_what_works(self, data: Path, method: str, settings: dict[str, Any]) -> None:
        assert complaints(method, data, **settings) == []

    def test_evaluation_data_are_enough(self, data: Path) -> None:
        drawn = flows.draw(
            "base -> sft, rows -> sft, more -> sft.eval_dataset",
            base=flows.BASE,
            rows=flows.ROWS["sft"],
            more=flows.ROWS["sft"],
            sft=node(SFT, **flows.FAST, eval_strategy="steps", eval_on_start=True),
        )
        assert flows.problems(drawn, data) == []


@pytest.mark.parametrize("method", [DPO, GRPO])
def test_every_loss_of_the_installed_trl_has_its_line(method: type[Trainer]) -> None:
    loss = method.all_parameters()["loss_type"]
    assert set(loss.meanings) == set(loss.choices)
    assert len(loss.choices) > 5
    assert all(len(line) < 110 and not line.endswith(".") for line in loss.meanings.values())
