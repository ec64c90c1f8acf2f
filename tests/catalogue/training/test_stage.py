"""The text of a training stage."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest
from flows import BASE, FAST, REWARD, ROLLOUT, ROWS, alone, chain, draw, node, problems, program, script, settings

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, CombineRewards, LoadModel, RewardFunction
from ryven_llm_nodes.catalogue.files import FILE_FIELDS

SFT_STAGE = """def sft_config(output_dir: Path, **changes) -> SFTConfig:
    settings = dict(
        learning_rate=0.001,
        per_device_train_batch_size=4,
        num_train_epochs=3.0,
        weight_decay=0.01,
        warmup_steps=0,
        logging_steps=1,
        max_steps=2,
        gradient_checkpointing=False,
        save_strategy="no",
    )
    return SFTConfig(output_dir=str(output_dir), **DEVICE | settings | changes)"""


def sorted_lines(text: str) -> list[str]:
    """The lines of a stage in any order: that of the fields is the library's."""
    return sorted(text.split("\n"))


def test_sft(data: Path) -> None:
    cell = program(alone("sft"), data).cells["sft"]
    assert sorted_lines(cell.definition) == sorted_lines(SFT_STAGE)
    assert cell.statement == 'sft = pipeline.train("sft", SFTTrainer, sft_config, model=base, train_dataset=rows)'
    assert (cell.config, cell.config_class) == ("sft_config", "SFTConfig")


def test_numbers_are_written_as_people_write_them(data: Path) -> None:
    text = program(alone("sft", learning_rate=5e-5), data).cells["sft"].definition
    assert "learning_rate=5e-5," in text


def test_the_reference_is_loaded_as_the_policy_is_once_the_stage_begins(data: Path) -> None:
    cell = program(chain(), data).cells["dpo"]
    assert 'ref_model=partial(AutoModelForCausalLM.from_pretrained, sft, dtype="float32"),' in cell.statement


def test_a_reference_from_the_hub_keeps_its_revision(data: Path) -> None:
    other = node(LoadModel, path="a/b", revision="v1", dtype="bfloat16", trust_remote_code=True)
    nodes = {"base": BASE, "other": other, "rows": ROWS["dpo"], "dpo": node(DPO)}
    cell = program(draw("base -> dpo, rows -> dpo, other -> dpo.reference", **nodes), data).cells["dpo"]
    for text in ('dtype="bfloat16"', 'revision="v1"', "trust_remote_code=True"):
        assert text in cell.statement


def test_a_trained_model_has_no_revision(data: Path) -> None:
    base = node(LoadModel, path="a/b", revision="v1", dtype="bfloat16")
    nodes = {"base": base, "rows": ROWS["sft"], "sft": node(SFT), "more": ROWS["dpo"], "dpo": node(DPO)}
    drawn = draw("base -> sft, rows -> sft, sft -> dpo, more -> dpo", **nodes)
    assert settings(drawn, data, "sft")["model_init_kwargs"] == {"dtype": "bfloat16", "revision": "v1"}
    assert settings(drawn, data, "dpo")["model_init_kwargs"] == {"dtype": "bfloat16"}


def rewarded(kind: type, data: Path, **params: object) -> str:
    """The text of a trainer with two rewards, of weights 1 and 0.5."""
    rewards = {"a": node(RewardFunction, code=REWARD), "b": node(RewardFunction, code=REWARD)}
    nodes = {"base": BASE, "rows": ROWS["ppo"], **rewards, "mix": node(CombineRewards, weight_2=0.5)}
    wires = "a -> mix, b -> mix, base -> x, rows -> x, mix -> x"
    cell = program(draw(wires, **nodes, x=node(kind, **ROLLOUT, **params)), data).cells["x"]
    return f"{cell.definition}\n{cell.statement}"


def test_weights_go_to_trl_where_there_is_no_threshold(data: Path) -> None:
    for text in (rewarded(PPO, data), rewarded(GRPO, data, reward_threshold=None, num_generations=4)):
        assert "reward_funcs=[a, b]," in text
        assert "reward_weights=[1.0, 0.5]," in text


def test_weights_go_to_the_penalty_where_there_is_one(data: Path) -> None:
    text = rewarded(GRPO, data, reward_threshold=0.5, num_generations=4)
    assert "reward_funcs=penalize_shortfall([a, b], threshold=0.5, weights=[1.0, 0.5])," in text
    assert "reward_weights" not in text


def test_a_threshold_of_zero_is_one(data: Path) -> None:
    assert "threshold=0" in rewarded(GRPO, data, reward_threshold=0, num_generations=4)


def test_settings_of_the_device_can_be_fixed(data: Path) -> None:
    """What suits the machine gives way to what was set; fp16 takes the place of bf16."""
    assert flows.settings(alone("sft", bf16=False), data, "sft")["bf16"] is False
    half = flows.settings(alone("sft", fp16=True), data, "sft")
    assert (half["fp16"], half["bf16"]) == (True, False)
    assert flows.settings(alone("sft", use_cpu=True), data, "sft")["use_cpu"] is True
    assert {"bf16", "use_cpu"} & set(flows.settings(alone("sft"), data, "sft")) == set()


def test_the_stage_saves_below_the_output_folder_under_its_name(data: Path) -> None:
    nodes = {"base": BASE, "rows": ROWS["sft"], "My Stage": node(SFT, **FAST)}
    cell = program(draw("base -> My Stage, rows -> My Stage", **nodes), data).cells["my_stage"]
    assert 'pipeline.train("my_stage", SFTTrainer, my_stage_config, ' in cell.statement
    assert "def my_stage_config(" in cell.definition


class TestFilesBesideTheFlow:
    """Fields that name a file are looked up where the flow lies, as every other path of a flow."""

    def test_a_chat_template(self, data: Path, tmp_path: Path) -> None:
        (tmp_path / "chat.jinja").write_text("{{ messages }}")
        text = script(alone("sft", chat_template_path="chat.jinja"), beside(data, tmp_path))
        assert 'chat_template_path=str(ROOT / "chat.jinja"),' in text
        assert "ROOT = Path(__file__).resolve().parent" in text

    def test_a_model_of_the_hub_stays_as_it_is(self, data: Path) -> None:
        text = script(alone("sft", chat_template_path="owner/name"), data)
        assert 'chat_template_path="owner/name",' in text

    @pytest.mark.parametrize("name", FILE_FIELDS)
    def test_one_that_is_missing(self, name: str, data: Path) -> None:
        method = "ppo" if name == "value_model" else "sft"
        found = problems(alone(method, **{name: "./none.json"}), data)
        assert found == [
            f"{method.upper()} '{method}' > {name}: './none.json' does not exist (looked in {data}); correct the path."
        ]


def beside(data: Path, folder: Path) -> Path:
    """``folder`` with the data and the model of ``data``."""
    for place in data.iterdir():
        (folder / place.name).symlink_to(place)
    return folder
