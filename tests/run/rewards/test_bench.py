"""The bench: what rewards give to pasted and sampled completions, and what is said of those that fail or never vary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import BASE, FAST, ROLLOUT, ROWS, draw, node

from ryven_llm_nodes.catalogue import (
    GRPO,
    SFT,
    CombineRewards,
    ExactMatch,
    InlineTable,
    LengthReward,
    PatternMatch,
    RewardFunction,
    Threshold,
)
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.rewards.bench import Bench, bench

TABLE = node(InlineTable, rows='{"prompt": "2 + 2", "answer": "4"}\n{"prompt": "3 + 3", "answer": "6"}')
TRAINER = node(GRPO, **ROLLOUT, num_generations=4, reward_threshold=None)
FAILING = """def score(completions, answer, **kwargs):
    scores = []
    for completion, right in zip(completions, answer):
        scores.append(1 / len(completion.split()))
    return scores
"""


def benched(root: Path, out: Path, rewards: dict[str, Any], last: str, wires: str = "", **options: Any) -> Bench:
    """The bench of the reward called ``last``, in a flow in which GRPO takes it."""
    full = ", ".join(filter(None, [wires, "base -> grpo", "table -> grpo", f"{last} -> grpo"]))
    built = flows.program(draw(full, base=BASE, table=TABLE, **rewards, grpo=TRAINER), root)
    return bench(built, built.graph.by_name[last], out, **options)


def written(folder: Path, text: str, name: str = "pasted.txt") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_pasted_lines_are_answers_to_the_first_prompt(data: Path, tmp_path: Path) -> None:
    pasted = written(tmp_path, "4\n5\n\n 4 \n")
    found = benched(data, tmp_path, {"exact": node(ExactMatch)}, "exact", pasted=pasted)
    assert [(tried.prompt, tried.completion, tried.group) for tried in found.tried] == [
        ("2 + 2", text, 0) for text in ("4", "5", " 4 ")
    ]
    assert found.scores[0].values == (1.0, 0.0, 1.0)
    assert found.scores[0].spread(found.groups) == [pytest.approx(0.4714, abs=1e-4)]
    assert list(found.warnings()) == []


def test_pasted_texts_of_several_lines(data: Path, tmp_path: Path) -> None:
    pasted = written(tmp_path, "a\nb\n---\nc")
    reward = node(PatternMatch, pattern="a.b")
    assert benched(data, tmp_path, {"match": reward}, "match", pasted=pasted).scores[0].values == (1.0, 0.0)


def test_rows_have_prompts_and_columns_of_their_own(data: Path, tmp_path: Path) -> None:
    rows = [{"completion": "4"}, {"prompt": "x", "answer": "9", "completion": "9"}, {"prompt": "x", "completion": "4"}]
    pasted = written(tmp_path, "\n".join(map(json.dumps, rows)), "rows.jsonl")
    found = benched(data, tmp_path, {"exact": node(ExactMatch)}, "exact", pasted=pasted)
    assert found.groups == [0, 1, 1]
    assert found.scores[0].values == (1.0, 1.0, 0.0), "the answer to x is 9, as was said before"


def test_a_sum_shows_each_reward_and_the_total(data: Path, tmp_path: Path) -> None:
    rewards = {
        "exact": node(ExactMatch),
        "short": node(LengthReward, unit="characters", at_most=1),
        "limit": node(Threshold, threshold=0.9),
        "total": node(CombineRewards, weight_2=0.5),
    }
    wires = "exact -> total, short -> limit, limit -> total"
    found = benched(data, tmp_path, rewards, "total", wires, pasted=written(tmp_path, "4\n55\n6"))
    assert [(score.reward, score.weight, score.values) for score in found.scores] == [
        ("exact", 1.0, (1.0, 0.0, 0.0)),
        ("limit", 0.5, (1.0, 0.0, 1.0)),
    ]
    assert found.totals == [1.5, 0.0, 0.5]


def test_what_never_varies_is_told(data: Path, tmp_path: Path) -> None:
    found = benched(data, tmp_path, {"exact": node(ExactMatch)}, "exact", pasted=written(tmp_path, "7\n8"))
    (warning,) = found.warnings()
    assert warning.startswith("exact: all completions of a prompt have the same score, so that GRPO learns nothing")


def test_a_failure_names_its_row_and_its_line_and_the_others_are_scored(data: Path, tmp_path: Path) -> None:
    pasted = written(tmp_path, "one\n---\n \n---\none two\n")
    (tmp_path / "pasted.jsonl").write_text("".join(json.dumps({"completion": c}) + "\n" for c in ("one", " ", "a b")))
    rewards = {"score": node(RewardFunction, code=FAILING)}
    found = benched(data, tmp_path, rewards, "score", pasted=tmp_path / "pasted.jsonl")
    assert found.scores[0].values[::2] == (1.0, 0.5)
    assert found.scores[0].failures == {1: "line 4: ZeroDivisionError: division by zero."}
    assert pasted.exists()


def test_one_that_hangs_is_interrupted(data: Path, tmp_path: Path) -> None:
    code = "import time\n\n\ndef slow(completions, **kwargs):\n    time.sleep(60)"
    rewards = {"slow": node(RewardFunction, code=code, time_limit=1)}
    found = benched(data, tmp_path, rewards, "slow", pasted=written(tmp_path, "one"))
    assert found.scores[0].failures == {0: "line 5: did not return within 1 s."}


def test_completions_are_sampled_from_the_model(workspace: Path, tmp_path: Path) -> None:
    rewards = {"length": node(LengthReward, unit="tokens", at_least=4)}
    options = {"prompts": 2, "samples": 3, "tokens": 5}
    found = benched(workspace, tmp_path, rewards, "length", **options)
    assert found.groups == [0, 0, 0, 1, 1, 1]
    assert all(1 <= len(tried.ids) <= 5 for tried in found.tried)
    assert found.source == "Load Model 'base', 3 samples per prompt"
    again = benched(workspace, tmp_path, rewards, "length", **options)
    assert [tried.completion for tried in again.tried] == [tried.completion for tried in found.tried]
    other = benched(workspace, tmp_path, rewards, "length", **options, seed=1)
    assert [tried.completion for tried in other.tried] != [tried.completion for tried in found.tried]


def test_conversations_get_conversations(workspace: Path, tmp_path: Path) -> None:
    """The model is the one that the chain starts from: the stages before have not been trained."""
    nodes = {"base": BASE, "sft_rows": ROWS["sft"], "sft": node(SFT, **FAST), "rows": ROWS["grpo"]}
    nodes |= {"variety": node(RewardFunction, code=flows.REWARD), "grpo": TRAINER}
    wires = "base -> sft, sft_rows -> sft, sft -> grpo, rows -> grpo, variety -> grpo"
    built = flows.program(draw(wires, **nodes), workspace)
    found = bench(built, built.graph.by_name["variety"], tmp_path, prompts=1, samples=2, tokens=4)
    assert [tried.completion[0]["role"] for tried in found.tried] == ["assistant"] * 2
    assert all(0 <= value <= 1 for value in found.scores[0].values)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no completions; write one per line"), ('{"text": "a"}', "has no 'completion'; write one JSON object")],
)
def test_what_cannot_be_scored(text: str, message: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        benched(data, tmp_path, {"exact": node(ExactMatch)}, "exact", pasted=written(tmp_path, text))


def test_a_reward_without_a_trainer_needs_completions(data: Path, tmp_path: Path) -> None:
    built = flows.program(draw(length=node(LengthReward)), data)
    with pytest.raises(UsageError, match="is connected to no trainer with a model and prompts; give --completions"):
        bench(built, built.graph.by_name["length"], tmp_path)
    found = bench(built, built.graph.by_name["length"], tmp_path, written(tmp_path, "a b"))
    assert found.scores[0].values == (1.0,)


def test_prompts_are_sampled_from_with_the_tokens_that_training_gives_them(work: Path, tmp_path: Path) -> None:
    """TRL's GRPO tokenizes plain text with the special tokens of the tokenizer."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer, GenerationMixin

    tokenizer = AutoTokenizer.from_pretrained(work / "model")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<user> $A", special_tokens=[("<user>", 2)])
    tokenizer.save_pretrained(work / "model")
    seen: list[list[int]] = []
    generate = GenerationMixin.generate

    def watched(model: Any, ids: Any, **options: Any) -> Any:
        seen.append(ids[0].tolist())
        return generate(model, ids, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GenerationMixin, "generate", watched)
        benched(work, tmp_path, {"long": node(LengthReward)}, "long", prompts=1, samples=2, tokens=2)
    assert seen == [[2, *tokenizer("2 + 2", add_special_tokens=False)["input_ids"]]]


LOUD = """def loud(completions, **kwargs):
    print("scoring", *completions)
    return [1 / len(completion) for completion in completions]
"""


def test_what_a_function_prints_is_kept(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewards = {"loud": node(RewardFunction, code=LOUD)}
    found = benched(data, tmp_path, rewards, "loud", pasted=written(tmp_path, "ab\ncc\nabcd"))
    (score,) = found.scores
    assert score.printed == "scoring ab cc abcd"
    assert (min(score.there), score.mean, max(score.there)) == (0.25, pytest.approx(5 / 12), 0.5)
    assert score.equal == pytest.approx(2 / 3)
    assert capsys.readouterr().out == ""
    rows = written(tmp_path, '{"completion": "ab"}\n{"completion": ""}', "rows.jsonl")
    (score,) = benched(data, tmp_path, rewards, "loud", pasted=rows).scores
    assert score.printed == "row 1: scoring ab\nrow 2: scoring ", "row by row, after all at once has failed"


def test_a_trainer_is_chosen_where_several_score(data: Path, tmp_path: Path) -> None:
    other = node(InlineTable, rows='{"prompt": "4 + 4", "answer": "8"}')
    wires = "base -> grpo, table -> grpo, exact -> grpo, base -> later, other -> later, exact -> later"
    nodes = {"base": BASE, "table": TABLE, "other": other, "exact": node(ExactMatch), "grpo": TRAINER, "later": TRAINER}
    built = flows.program(draw(wires, **nodes), data)
    steps, pasted = built.graph.by_name, written(tmp_path, "8")
    for trainer, score in ((None, 0.0), ("later", 1.0)):
        chosen = steps[trainer] if trainer else None
        found = bench(built, steps["exact"], tmp_path, pasted, trainer=chosen)
        assert found.scores[0].values == (score,)
