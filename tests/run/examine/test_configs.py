"""What the libraries refuse of a configuration is named at its field, for all stages at once."""

from __future__ import annotations

import flows
from flows import node
from refusals import Run, refused

from ryven_llm_nodes.catalogue import GRPO, SFT, RewardFunction


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
    assert of_sft.startswith("SFT 'sft' > lr_scheduler_kwargs: SFTConfig rejects it: ")
    assert "no_such_setting" in of_sft
    assert of_grpo.startswith("GRPO 'grpo' > generation_batch_size: GRPOConfig rejects it: ")
