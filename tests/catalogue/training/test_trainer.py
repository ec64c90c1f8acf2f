"""The trainers: parameters, defaults, columns, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest
from flows import FAST, METHODS, TRAINERS, alone, draw, node, problems, program

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, LoadDataset, LoadModel
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import build

DEFAULTS = {
    SFT: {
        "learning_rate": 5e-5,
        "per_device_train_batch_size": 8,
        "num_train_epochs": 3,
        "weight_decay": 0.01,
        "warmup_steps": 500,
    },
    PPO: {
        "learning_rate": 1e-5,
        "epsilon": 0.2,
        "vf_coef": 0.1,
        "entropy_coef": 0.01,
        "gamma": 0.99,
        "lam": 0.95,
        "kl_coef": 0.001,
    },
    DPO: {"learning_rate": 5e-6, "beta": 0.1},
    GRPO: {"learning_rate": 2e-6, "epsilon": 0.1, "reward_threshold": 0.7},
}


@pytest.mark.parametrize(
    ("trainer", "name", "value"), [(t, *item) for t, values in DEFAULTS.items() for item in values.items()]
)
def test_default(trainer: Any, name: str, value: float) -> None:
    essential = {parameter.name: parameter for parameter in trainer.parameters}
    assert essential[name].default == value


def settings(method: str, root: Path, **params: Any) -> dict[str, Any]:
    """The fields that the configuration of a trainer spells out."""
    return flows.settings(alone(method, **params), root, method)


@pytest.mark.parametrize("method", METHODS)
class TestEveryTrainer:
    def test_every_field_of_the_configuration_can_be_set(self, method: str) -> None:
        trainer = TRAINERS[method][0]
        missing = set(trainer.config.fields) - set(trainer.all_parameters()) - set(trainer.withheld)
        assert missing == set()

    @pytest.mark.parametrize("field", ["output_dir", "hub_token", "trust_remote_code", "resume_from_checkpoint"])
    def test_what_is_withheld_says_why(self, method: str, field: str, data: Path) -> None:
        (wrong,) = problems(alone(method, **{field: "x"}), data)
        assert f"> {field}: is " in wrong

    def test_a_typo(self, method: str, data: Path) -> None:
        (wrong,) = problems(alone(method, max_step=1), data)
        assert wrong.endswith("Config has no such field. Did you mean 'max_steps'?")
        assert wrong.startswith(f"{method.upper()} {method!r} > max_step: ")

    def test_essential_fields_are_spelled_out_and_others_where_they_differ(self, method: str, data: Path) -> None:
        """Another version of TRL may have other defaults; the method stays what it was."""
        kind = TRAINERS[method][0]
        essential = {parameter.name for parameter in kind.parameters} & set(kind.config.fields)
        spelled = settings(method, data)
        assert essential <= set(spelled)
        for name in set(spelled) - essential:
            assert spelled[name] != kind.config.fields[name].default, name

    def test_a_value_that_equals_the_default_is_not(self, method: str, data: Path) -> None:
        assert "seed" not in settings(method, data, seed=42)
        assert settings(method, data, seed=43)["seed"] == 43

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("learning_rate", 0),
            ("learning_rate", -1e-5),
            ("learning_rate", 2),
            ("learning_rate", "1e-5"),
            ("per_device_train_batch_size", 0),
            ("per_device_train_batch_size", True),
            ("seed", 1.5),
            ("max_steps", None),
            ("bf16", "yes"),
            ("report_to", 3),
            ("model_init_kwargs", '{"dtype": "auto"}'),
        ],
    )
    def test_bad_value(self, method: str, field: str, value: Any, data: Path) -> None:
        (wrong,) = problems(alone(method, **{field: value}), data)
        assert wrong.startswith(f"{method.upper()} {method!r} > {field}: must be ")
        assert repr(value) in wrong

    def test_wires_that_are_needed(self, method: str, data: Path) -> None:
        found = problems(draw(**{method: TRAINERS[method]}), data)
        needed = [port.label for port in TRAINERS[method][0].in_ports if not port.optional]
        assert [line.split(": ")[0].split(" > ")[1] for line in found] == needed

    def test_a_data_set_to_evaluate_on_is_used_once_an_epoch(self, method: str, data: Path) -> None:
        drawn = alone(method)
        ports = [port.name for port in TRAINERS[method][0].in_ports]
        flow = drawn["flows"][method]
        wire = next(w for w in flow["connections"] if w["connected input port index"] == ports.index("dataset"))
        flow["connections"].append({**wire, "connected input port index": ports.index("eval_dataset")})
        cell = program(drawn, data).cells[method]
        assert flows.settings(drawn, data, method)["eval_strategy"] == "epoch"
        assert "eval_dataset=rows" in cell.statement


class TestColumns:
    @pytest.mark.parametrize(
        ("method", "rows", "message"),
        [
            (
                "sft",
                "pairs",
                "SFT needs the columns 'messages' or 'prompt' + 'completion' or 'text' or 'input_ids'; the dataset has",
            ),
            ("sft", "prompts", "the dataset has 'prompt'."),
            ("ppo", "text", "PPO needs the columns 'prompt'; the dataset has 'text'."),
            ("dpo", "sft", "DPO needs the columns 'prompt' + 'chosen' + 'rejected' or 'chosen' + 'rejected'; the data"),
            ("grpo", "messages", "GRPO needs the columns 'prompt'; the dataset has 'messages'."),
        ],
    )
    def test_missing(self, method: str, rows: str, message: str, data: Path) -> None:
        drawn = alone(method)
        drawn["flows"][method]["nodes"][1]["additional data"]["params"]["path"] = f"{rows}.jsonl"
        (wrong,) = problems(drawn, data)
        assert wrong.startswith(f"{method.upper()} {method!r} > dataset: ")
        assert message in wrong

    @pytest.mark.parametrize("rows", ["sft", "text", "messages"])
    def test_what_sft_takes(self, rows: str, data: Path) -> None:
        nodes = {"base": node(LoadModel, path="a/b"), "rows": node(LoadDataset, path=f"{rows}.jsonl"), "sft": node(SFT)}
        assert problems(draw("base -> sft, rows -> sft", **nodes), data) == []

    def test_sft_on_a_column_of_another_name(self, data: Path) -> None:
        nodes = {"base": node(LoadModel, path="a/b"), "rows": node(LoadDataset, path="prompts.jsonl")}
        drawn = draw("base -> sft, rows -> sft", **nodes, sft=node(SFT, dataset_text_field="prompt"))
        assert problems(drawn, data) == []


class TestGroups:
    @pytest.mark.parametrize(
        ("batch", "accumulation", "group", "fine"),
        [(8, 1, 8, True), (4, 2, 8, True), (8, 1, 3, False), (4, 1, 8, False)],
    )
    def test_must_divide_what_a_step_generates(
        self, batch: int, accumulation: int, group: int, fine: bool, data: Path
    ) -> None:
        params = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
        found = problems(alone("grpo", **params, num_generations=group), data)
        assert len(found) == (not fine)
        assert fine or "> num_generations: must divide the" in found[0]

    @pytest.mark.parametrize(("processes", "fine"), [(1, False), (2, True), (3, False), (4, True)])
    def test_the_processes_of_a_launch_share_the_groups(self, processes: int, fine: bool, data: Path) -> None:
        drawn = alone("grpo", per_device_train_batch_size=4, num_generations=8)
        launched = flows.graph(flows.launched(drawn, processes=processes), data)
        if fine:
            assert "num_generations=8" in build(launched).script.text
            return
        with pytest.raises(FlowError, match=rf"must divide the {4 * processes} completions per step .*, got 8"):
            build(launched)

    def test_a_generation_batch_of_its_own_is_left_to_trl(self, data: Path) -> None:
        assert problems(alone("grpo", num_generations=3, generation_batch_size=12), data) == []

    def test_ppo_has_no_group(self, data: Path) -> None:
        (wrong,) = problems(alone("ppo", num_generations=4), data)
        assert "is fixed by PPO" in wrong


def test_help_says_what_grpo_stands_for() -> None:
    assert "Generalized Reward-Penalized Optimization" in str(GRPO.__doc__)
    assert "Group Relative Policy Optimization" in str(GRPO.__doc__)
    assert "2402.03300" in str(GRPO.__doc__)


def test_settings_of_the_model_meet_those_of_the_stage(data: Path) -> None:
    base = node(LoadModel, path="a/b", dtype="bfloat16", revision="v1", trust_remote_code=True)
    sft = node(SFT, **FAST, model_init_kwargs={"attn_implementation": "eager"})
    drawn = draw("base -> sft, rows -> sft", base=base, rows=node(LoadDataset, path="sft.jsonl"), sft=sft)
    found = flows.settings(drawn, data, "sft")
    assert found["model_init_kwargs"] == {"dtype": "bfloat16", "revision": "v1", "attn_implementation": "eager"}
    assert found["trust_remote_code"] is True
