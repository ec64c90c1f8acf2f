"""What is found before anything is trained, although only the loaded data and libraries can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, LoadDataset, LoadModel, RewardFunction, RewardModel
from ryven_llm_nodes.run import Event, run_program
from ryven_llm_nodes.run.events import StageStarted

Run = Callable[..., tuple[Any, list[Event]]]


def refused(run: Run, drawn: flows.Project) -> list[str]:
    """The problems of a flow that is refused before its first stage."""
    outcome, events = run(drawn)
    trained = [
        event.step for event in events if isinstance(event, StageStarted) and event.label[:4] in ("SFT ", "GRPO")
    ]
    assert outcome.status == "failed"
    assert not trained
    return [str(problem) for problem in outcome.error.problems]


def with_reward(code: str) -> flows.Project:
    return flows.draw(
        "base -> grpo, rows -> grpo, mine -> grpo",
        base=flows.BASE,
        rows=flows.ROWS["grpo"],
        mine=node(RewardFunction, code=code),
        grpo=node(GRPO, **flows.ROLLOUT, num_generations=4),
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return [1 / 0 for _ in completions]", "line 2: ZeroDivisionError: division by zero."),
        ("return [1.0]", "mine() returned 1 rewards for 2 completions; return one number for each."),
        ("return 1.0", "mine() returned 1.0; return a list with one number a completion."),
        ("return ['good'] * len(completions)", "mine() returned 'good' as a reward; return numbers, or None."),
        ("return [kwargs['topic']]", "line 2: KeyError: 'topic'."),
    ],
)
def test_a_reward_function_is_tried_on_two_rows(run: Run, body: str, message: str) -> None:
    (problem,) = refused(run, with_reward(f"def r(completions, **kwargs):\n    {body}\n"))
    assert problem.startswith("Reward Function 'mine' > code: ")
    assert message in problem


def test_the_trial_leaves_no_trace_in_the_run(run: Run, tmp_path: Path) -> None:
    """A function that counts its calls sees only those of the training."""
    body = "    calls.append(1)\n    return [float(len(calls))] * len(completions)\n"
    code = f"calls = []\n\ndef counts(completions, **kwargs):\n{body}"
    outcome, _ = run(with_reward(code))
    assert outcome.error is None
    first = json.loads((tmp_path / "out/grpo/metrics.jsonl").read_text().splitlines()[0])
    assert first["raw_reward"] == 1.0


def test_reward_functions_get_the_columns_of_their_data(run: Run, work: Path, tmp_path: Path) -> None:
    rows = ({"prompt": q, "wanted": len(q)} for q in flows.QUESTIONS)
    (work / "wanted.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code = "def w(completions, wanted, **kwargs):\n    return [float(x) for x in wanted]\n"
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, w -> ppo",
        base=flows.BASE,
        rows=node(LoadDataset, path="wanted.jsonl"),
        w=node(RewardFunction, code=code),
        ppo=node(PPO, **flows.ROLLOUT),
    )
    assert run_program(flows.program(drawn, work), tmp_path).error is None


def test_every_wrong_setting_of_every_stage_is_named_at_once(run: Run) -> None:
    drawn = flows.draw(
        "base -> sft, rows -> sft, sft -> grpo, chats -> grpo, variety -> grpo",
        base=flows.BASE,
        rows=flows.ROWS["sft"],
        chats=flows.ROWS["grpo"],
        variety=node(RewardFunction, code=flows.REWARD),
        sft=node(SFT, **flows.FAST, lr_scheduler_kwargs={"no_such_setting": 1}),
        grpo=node(GRPO, **flows.ROLLOUT, num_generations=4, generation_batch_size=6),
    )
    of_sft, of_grpo = refused(run, drawn)
    assert of_sft.startswith("SFT 'sft' > lr_scheduler_kwargs: SFTConfig refuses it: ")
    assert "no_such_setting" in of_sft
    assert of_grpo.startswith("GRPO 'grpo' > generation_batch_size: GRPOConfig refuses it: ")


def test_conversations_need_a_chat_template(run: Run, work: Path, tmp_path: Path) -> None:
    (work / "model" / "chat_template.jinja").unlink()
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        base=node(LoadModel, path="model"),
        rows=node(LoadDataset, path="messages.jsonl"),
        sft=node(SFT, **flows.FAST),
    )
    outcome = run_program(flows.program(drawn, work), tmp_path)
    assert "SFT 'sft' > dataset: its data set holds conversations, but 'model' has no chat template" in str(
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
    assert str(outcome.error).endswith("Give data with rows, or correct the split.")


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
    assert "the data set has 'question'" in str(outcome.error)


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
    assert problem.startswith("Reward Model 'scorer' > path: 'no-such-owner/no-such-model' cannot be loaded: OSError: ")
    assert problem.endswith("or give a local folder.")


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


def test_an_argument_that_no_column_gives_is_named(run: Run) -> None:
    code = "def mine(completions, topic, **kwargs):\n    return [1.0 for _ in completions]\n"
    (problem,) = refused(run, with_reward(code))
    assert problem.startswith("Reward Function 'mine' > code: mine() demands 'topic', but is passed only ")
    assert "'completions'" in problem
    assert "Add the column to the data set, or give the argument a default." in problem


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("    return [float('x') for _ in completions]\n", "line 4: ValueError"),
        ("    return [sorted([1, 'a']) for _ in completions]\n", "line 4: TypeError"),
    ],
)
def test_lines_are_counted_as_the_user_sees_them(run: Run, body: str, message: str) -> None:
    """Blank lines before the code are left out of the script."""
    (problem,) = refused(run, with_reward(f"\n\r\ndef mine(completions, **kwargs):\n{body}"))
    assert f"> code: {message}" in problem


def test_the_line_of_a_call_that_fails_elsewhere(run: Run) -> None:
    """The innermost line of the code, not the last one of a larger number."""
    helper = "def helper(x):\n    return x['no']\n"
    code = f"{helper}\n\ndef mine(completions, **kwargs):\n    return [helper({{}}) for _ in completions]\n"
    (problem,) = refused(run, with_reward(code))
    assert "line 2: KeyError: 'no'." in problem


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
        f"PPO 'ppo' > dataset: has a column {name!r}, but TRL passes something of its own by that name to a reward; "
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


def test_a_reward_is_tried_on_the_evaluation_data_too(run: Run, work: Path, tmp_path: Path) -> None:
    (work / "named.jsonl").write_text("".join(json.dumps({"prompt": q, "topic": "x"}) + "\n" for q in flows.QUESTIONS))
    code = "def mine(completions, topic, **kwargs):\n    return [1.0 for _ in completions]\n"
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, mine -> ppo, more -> ppo.eval_dataset",
        base=flows.BASE,
        rows=node(LoadDataset, path="named.jsonl"),
        more=flows.ROWS["ppo"],
        mine=node(RewardFunction, code=code),
        ppo=node(PPO, **flows.ROLLOUT),
    )
    error = run_program(flows.program(drawn, work), tmp_path / "out").error
    assert "Reward Function 'mine' > code: mine() demands 'topic'" in str(error)
