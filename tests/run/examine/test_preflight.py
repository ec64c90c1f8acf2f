"""What is found before anything is trained, although only the loaded data and libraries can tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node
from refusals import Run, begun, refused, trainers

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, LoadDataset, LoadModel, RewardFunction, RewardModel
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.events import StageStarted
from ryven_llm_nodes.run.examine.check import checked


def test_every_trainer_that_begins_is_counted(workspace: Path) -> None:
    """The tests below could not fail if the stages of a method were overlooked."""
    steps = flows.graph(flows.chain(), workspace).order
    events = [StageStarted(step.name, step.label) for step in steps]
    assert begun(events) == list(flows.METHODS)
    assert {kind.title for kind in trainers()} >= {"SFT", "PPO", "DPO", "GRPO"}


def test_conversations_need_a_chat_template(run: Run, work: Path, tmp_path: Path) -> None:
    (work / "model" / "chat_template.jinja").unlink()
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        base=node(LoadModel, path="model"),
        rows=node(LoadDataset, path="messages.jsonl"),
        sft=node(SFT, **flows.FAST),
    )
    outcome = run_program(flows.program(drawn, work), tmp_path)
    assert "SFT 'sft' > dataset: its dataset contains conversations, but 'model' has no chat template" in str(
        outcome.error
    )


def test_an_empty_data_set_is_refused(work: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_dict({"prompt": [], "completion": []}).to_parquet(work / "none.parquet")
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        base=flows.BASE,
        rows=node(LoadDataset, path="none.parquet"),
        sft=node(SFT, **flows.FAST),
    )
    outcome = run_program(flows.program(drawn, work), tmp_path)
    assert str(outcome.error).startswith("Load Dataset 'rows': ")
    assert str(outcome.error).endswith("Use data with rows, or correct the split.")


def test_columns_of_a_data_set_that_could_not_be_looked_into_before(run: Run, work: Path, tmp_path: Path) -> None:
    """A folder of data has no columns that could be told until it is loaded."""
    (work / "odd").mkdir()
    (work / "odd" / "train.jsonl").write_text(json.dumps({"question": "a"}) + "\n")
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        base=flows.BASE,
        rows=node(LoadDataset, path="./odd"),
        sft=node(SFT, **flows.FAST),
    )
    outcome = run_program(flows.program(drawn, work), tmp_path)
    assert "SFT needs the columns" in str(outcome.error)
    assert "the dataset has 'question'" in str(outcome.error)


def test_broken_rows_name_the_data_node(run: Run, work: Path, tmp_path: Path) -> None:
    (work / "broken.jsonl").write_text('{"prompt": "a", "completion": "b"}\n{"prompt": \n')
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        base=flows.BASE,
        rows=node(LoadDataset, path="broken.jsonl"),
        sft=node(SFT, **flows.FAST),
    )
    outcome = run_program(flows.program(drawn, work), tmp_path)
    assert str(outcome.error).startswith("Load Dataset 'rows': ")


def test_a_reward_model_scores_like_trl(workspace: Path, tmp_path: Path) -> None:
    """A reward model through our function ends with the weights of the same model given to TRL itself."""
    import torch
    from transformers import AutoTokenizer, LlamaForSequenceClassification

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        scorer = LlamaForSequenceClassification.from_pretrained(workspace / "model", num_labels=1)
        torch.nn.init.normal_(scorer.score.weight)
    scorer.save_pretrained(tmp_path / "scorer")
    AutoTokenizer.from_pretrained(workspace / "model").save_pretrained(tmp_path / "scorer")
    drawn = flows.draw(
        "base -> grpo, rows -> grpo, scorer -> grpo",
        base=flows.BASE,
        rows=flows.ROWS["grpo"],
        scorer=node(RewardModel, path=str(tmp_path / "scorer")),
        grpo=node(GRPO, **flows.ROLLOUT, num_generations=4, reward_threshold=None),
    )
    outcome = run_program(flows.program(drawn, workspace), tmp_path / "ours")
    assert outcome.error is None
    _train_with_trl(workspace, tmp_path)
    ours, theirs = (_state(tmp_path / name) for name in ("ours/grpo", "theirs"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    base = _state(workspace / "model")
    assert any(not torch.equal(ours[name], base[name]) for name in ours)


def _train_with_trl(workspace: Path, tmp_path: Path) -> None:
    from datasets import load_dataset
    from transformers import set_seed
    from trl import GRPOConfig, GRPOTrainer

    settings = {**flows.ROLLOUT, "num_generations": 4, "epsilon": 0.1, "use_cpu": True, "bf16": False}
    trainer = GRPOTrainer(
        model=str(workspace / "model"),
        reward_funcs=str(tmp_path / "scorer"),
        args=GRPOConfig(output_dir=str(tmp_path / "checkpoints"), **settings),
        train_dataset=load_dataset("json", data_files=str(workspace / "chats.jsonl"), split="train"),
    )
    set_seed(trainer.args.seed)
    trainer.train()
    trainer.save_model(str(tmp_path / "theirs"))


def _state(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_models_that_cannot_be_had_are_named_before_the_first_stage(run: Run) -> None:
    drawn = flows.draw(
        "base -> sft, rows -> sft, sft -> ppo, prompts -> ppo, scorer -> ppo",
        base=flows.BASE,
        rows=flows.ROWS["sft"],
        prompts=flows.ROWS["ppo"],
        scorer=node(RewardModel, path="no-such-owner/no-such-model"),
        sft=node(SFT, **flows.FAST),
        ppo=node(PPO, **flows.ROLLOUT),
    )
    (problem,) = refused(run, drawn)
    assert problem == (
        "Reward Model 'scorer' > path: 'no-such-owner/no-such-model' cannot be loaded: it is not among the downloaded "
        "models, and HF_HUB_OFFLINE keeps it from being fetched. Unset it, or use a local folder."
    )


def test_a_reward_model_must_have_one_label(run: Run, workspace: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, LlamaForSequenceClassification

    LlamaForSequenceClassification.from_pretrained(workspace / "model", num_labels=3).save_pretrained(tmp_path / "m")
    AutoTokenizer.from_pretrained(workspace / "model").save_pretrained(tmp_path / "m")
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, scorer -> ppo",
        base=flows.BASE,
        rows=flows.ROWS["ppo"],
        scorer=node(RewardModel, path=str(tmp_path / "m")),
        ppo=node(PPO, **flows.ROLLOUT),
    )
    assert refused(run, drawn) == ["Reward Model 'scorer' > path: has 3 labels; give a sequence classifier with one."]


@pytest.mark.parametrize("name", ["prompts", "completions", "trainer_state", "log_extra", "log_metric"])
@pytest.mark.parametrize("place", ["taken.jsonl", "./taken"])
def test_a_column_that_trl_passes_itself(run: Run, work: Path, tmp_path: Path, name: str, place: str) -> None:
    """TRL raises "multiple values for keyword argument" for some, and hides the column for the others."""
    (work / "taken").mkdir()
    for file in (work / "taken.jsonl", work / "taken" / "train.jsonl"):
        file.write_text("".join(json.dumps({"prompt": q, name: "x"}) + "\n" for q in flows.QUESTIONS))
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, mine -> ppo",
        base=flows.BASE,
        rows=node(LoadDataset, path=place),
        mine=node(RewardFunction, code=flows.REWARD),
        ppo=node(PPO, **flows.ROLLOUT),
    )
    message = (
        f"PPO 'ppo' > dataset: has a column {name!r}, but TRL passes an argument of its own by that name to rewards; "
        "rename it."
    )
    if place == "./taken":  # its columns are known once it is loaded
        assert message in str(run_program(flows.program(drawn, work), tmp_path / "out").error)
    else:
        assert flows.problems(drawn, work) == [message]


def test_the_ids_of_completions_may_be_a_column(run: Run, work: Path, tmp_path: Path) -> None:
    (work / "ids.jsonl").write_text(
        "".join(json.dumps({"prompt": q, "completion_ids": [1]}) + "\n" for q in flows.QUESTIONS)
    )
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, mine -> ppo",
        base=flows.BASE,
        rows=node(LoadDataset, path="ids.jsonl"),
        mine=node(RewardFunction, code=flows.REWARD),
        ppo=node(PPO, **flows.ROLLOUT),
    )
    assert run_program(flows.program(drawn, work), tmp_path / "out").error is None


def test_one_bad_stage_hides_no_other(run: Run, work: Path, tmp_path: Path) -> None:
    """Data, evaluation data and rewards of every stage are looked at before the first one trains."""
    for name, row in {"odd": {"question": "a"}, "plain": {"prompt": "a"}}.items():
        (work / name).mkdir()
        (work / name / "train.jsonl").write_text((json.dumps(row) + "\n") * 4)
    bad = "def {}(completions, **kwargs):\n    return 1 / 0\n"
    drawn = flows.draw(
        "base -> sft, odd -> sft, sft -> dpo, pairs -> dpo, odd2 -> dpo.eval_dataset, dpo -> ppo, plain -> ppo,"
        "one -> ppo, ppo -> grpo, chats -> grpo, two -> grpo",
        base=flows.BASE,
        odd=node(LoadDataset, path="./odd"),
        odd2=node(LoadDataset, path="./odd"),
        plain=node(LoadDataset, path="./plain"),
        pairs=flows.ROWS["dpo"],
        chats=flows.ROWS["grpo"],
        one=node(RewardFunction, code=bad.format("one")),
        two=node(RewardFunction, code=bad.format("two")),
        sft=node(SFT, **flows.FAST),
        dpo=node(DPO, **flows.FAST),
        ppo=node(PPO, **flows.ROLLOUT),
        grpo=node(GRPO, **flows.ROLLOUT, num_generations=4),
    )
    outcome = run_program(flows.program(drawn, work), tmp_path / "out")
    lines = str(outcome.error).split("\n")
    starts = ("SFT 'sft' > dataset", "DPO 'dpo' > eval_dataset", "Reward Function 'one'", "Reward Function 'two'")
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * 4
    assert not (tmp_path / "out" / "sft").exists()


@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_a_trainer_whose_settings_have_not_been_allowed_is_looked_at_as_far_as_that_goes(
    method: str, workspace: Path, tmp_path: Path
) -> None:
    made = flows.program(flows.alone(method), workspace)
    found = checked(made, tmp_path, untrusted=[(method, "run_name")])
    assert [str(problem) for problem in found if problem.weight == "error"] == []
