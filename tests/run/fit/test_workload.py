"""The longest batch of a stage."""

from __future__ import annotations

import json
from pathlib import Path

import flows

from ryven_llm_nodes.run.examine.opened import opened
from ryven_llm_nodes.run.fit.workload import longest_batch, longest_rows

ANSWERS = ["no", "yes " * 20, "yes", "yes " * 60, "no no", "yes " * 40]


def written(work: Path) -> None:
    rows = [{"prompt": "what", "completion": answer} for answer in ANSWERS]
    (work / "sft.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_longest_rows_make_the_longest_batch(work: Path) -> None:
    written(work)
    drawn = flows.alone("sft", per_device_train_batch_size=2, gradient_accumulation_steps=4)
    with opened(flows.program(drawn, work)) as there:
        step = there.program.graph.by_name["sft"]
        first, second = longest_batch(there, step).lengths
        rows = [len(row["completion"]) for row in longest_rows(there, step)]
    assert first > second > len("yes " * 10)
    assert sorted(rows, reverse=True)[:5] == [240, 240, 160, 160, 80]  # an optimizer step takes more than there are
    assert rows[:3] == [240, 160, 80]


def test_what_is_cut_away_takes_no_memory(work: Path) -> None:
    written(work)
    with opened(flows.program(flows.alone("sft", max_length=16), work)) as there:
        found = longest_batch(there, there.program.graph.by_name["sft"])
    assert max(found.lengths) == 16


def test_a_pair_is_two_sequences_and_a_group_has_one_prompt(workspace: Path) -> None:
    for method, count in (("dpo", 8), ("grpo", 1), ("ppo", 4)):
        with opened(flows.program(flows.alone(method), workspace)) as there:
            found = longest_batch(there, there.program.graph.by_name[method])
        assert (len(found.lengths), found.samples) == (count, method != "dpo")
