"""The text of a training stage."""

from __future__ import annotations

from pathlib import Path

import pytest
from flows import BASE, FAST, REWARD, ROLLOUT, ROWS, alone, chain, draw, node, problems, program, script, settings

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, CombineRewards, LoadModel, RewardFunction
from ryven_llm_nodes.catalogue.stage import FILE_FIELDS

SFT_STAGE = '''def sft_config(output_dir: Path) -> SFTConfig:
    return SFTConfig(
        output_dir=str(output_dir / "checkpoints"),
        learning_rate=0.001,
        per_device_train_batch_size=4,
        weight_decay=0.01,
        logging_steps=1,
        max_steps=2,
        gradient_checkpointing=False,
        save_strategy="no",
        **DEVICE,
    )


def train_sft(model: str, train_dataset: Dataset, output_dir: Path) -> str:
    """Supervised fine-tuning: the model learns to continue prompts as the data set does."""
    if is_finished(output_dir):
        return str(output_dir)
    release_memory()
    trainer = SFTTrainer(
        model=model,
        args=sft_config(output_dir),
        train_dataset=train_dataset,
    )
    set_seed(trainer.args.seed)
    trainer.train()
    return save_policy(trainer, output_dir)'''


def sorted_lines(text: str) -> list[str]:
    """The lines of a stage in any order: that of the fields is the library's."""
    return sorted(text.split("\n"))


def test_sft(data: Path) -> None:
    cell = program(alone("sft"), data).cells["sft"]
    assert sorted_lines(cell.definition) == sorted_lines(SFT_STAGE)
    assert cell.statement == 'sft = train_sft(model=base, train_dataset=rows, output_dir=output_dir / "sft")'
    assert cell.config == "sft_config"


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_processes_that_share_rows_share_the_seed_of_their_order(method: str, data: Path) -> None:
    assert "    set_seed(trainer.args.seed)\n" in program(alone(method), data).cells[method].definition


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_processes_that_sample_have_a_seed_each(method: str, data: Path) -> None:
    text = program(alone(method), data).cells[method].definition
    assert "    set_seed(trainer.args.seed, device_specific=True)\n" in text


def test_the_reference_is_loaded_as_the_policy_is(data: Path) -> None:
    cell = program(chain(), data).cells["dpo"]
    assert "reference: str" in cell.definition
    assert 'ref_model=AutoModelForCausalLM.from_pretrained("reference"' not in cell.definition
    assert 'ref_model=AutoModelForCausalLM.from_pretrained(reference, dtype="float32")' in cell.definition
    assert "reference=sft," in cell.statement


def test_a_reference_from_the_hub_keeps_its_revision(data: Path) -> None:
    other = node(LoadModel, path="a/b", revision="v1", dtype="bfloat16", trust_remote_code=True)
    nodes = {"base": BASE, "other": other, "rows": ROWS["dpo"], "dpo": node(DPO)}
    cell = program(draw("base -> dpo, rows -> dpo, other -> dpo.reference", **nodes), data).cells["dpo"]
    for text in ('dtype="bfloat16"', 'revision="v1"', "trust_remote_code=True"):
        assert text in cell.definition


def test_a_trained_model_has_no_revision(data: Path) -> None:
    base = node(LoadModel, path="a/b", revision="v1", dtype="bfloat16")
    nodes = {"base": base, "rows": ROWS["sft"], "sft": node(SFT), "more": ROWS["dpo"], "dpo": node(DPO)}
    drawn = draw("base -> sft, rows -> sft, sft -> dpo, more -> dpo", **nodes)
    assert settings(drawn, data, "sft")["model_init_kwargs"] == {"dtype": "bfloat16", "revision": "v1"}
    assert settings(drawn, data, "dpo")["model_init_kwargs"] == {"dtype": "bfloat16"}


def rewarded(kind: type, data: Path, **params: object) -> str:
    """The definition of a trainer with two rewards, of weights 1 and 0.5."""
    rewards = {"a": node(RewardFunction, code=REWARD), "b": node(RewardFunction, code=REWARD)}
    nodes = {"base": BASE, "rows": ROWS["ppo"], **rewards, "mix": node(CombineRewards, weight_2=0.5)}
    wires = "a -> mix, b -> mix, base -> x, rows -> x, mix -> x"
    cell = program(draw(wires, **nodes, x=node(kind, **ROLLOUT, **params)), data).cells["x"]
    assert "reward_funcs=[a, b]" in cell.statement
    return cell.definition


def test_weights_go_to_trl_where_there_is_no_threshold(data: Path) -> None:
    for text in (rewarded(PPO, data), rewarded(GRPO, data, reward_threshold=None, num_generations=4)):
        assert "reward_funcs=reward_funcs," in text
        assert "reward_weights=[1.0, 0.5]," in text


def test_weights_go_to_the_penalty_where_there_is_one(data: Path) -> None:
    text = rewarded(GRPO, data, reward_threshold=0.5, num_generations=4)
    assert "reward_funcs=penalize_shortfall(reward_funcs, threshold=0.5, weights=[1.0, 0.5])," in text
    assert "reward_weights" not in text


def test_a_threshold_of_zero_is_one(data: Path) -> None:
    assert "threshold=0" in rewarded(GRPO, data, reward_threshold=0, num_generations=4)


def test_settings_of_the_device_can_be_fixed(data: Path) -> None:
    def device(**params: object) -> str:
        text = program(alone("sft", **params), data).cells["sft"].definition
        return next(line.strip() for line in text.split("\n") if "**DEVICE" in line)

    assert device() == "**DEVICE,"
    assert device(bf16=False) == '**DEVICE | {"bf16": False},'
    assert device(fp16=True) == '**DEVICE | {"fp16": True, "bf16": False},'
    assert device(use_cpu=True) == '**DEVICE | {"use_cpu": True},'


def test_the_stage_saves_below_the_output_folder_under_its_name(data: Path) -> None:
    nodes = {"base": BASE, "rows": ROWS["sft"], "My Stage": node(SFT, **FAST)}
    cell = program(draw("base -> My Stage, rows -> My Stage", **nodes), data).cells["my_stage"]
    assert cell.statement.endswith('output_dir=output_dir / "my_stage")')
    assert "def train_my_stage(" in cell.definition


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
        found = problems(alone("sft", **{name: "./none.json"}), data)
        assert found == [f"SFT 'sft' > {name}: './none.json' does not exist (looked in {data}); correct the path."]


def beside(data: Path, folder: Path) -> Path:
    """``folder`` with the data and the model of ``data``."""
    for place in data.iterdir():
        (folder / place.name).symlink_to(place)
    return folder
