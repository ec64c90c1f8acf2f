"""The types of a rollout: what they read, split, trim and pad."""

import torch

from ryven_llm_nodes.runtime.ppo_rollout import Rollout, Tokens

PROMPTS = torch.tensor([[0, 0, 5], [0, 6, 7]]), torch.tensor([[0, 0, 1], [0, 1, 1]])
COMPLETIONS = torch.tensor([[1, 2, 0, 0], [3, 0, 0, 0]]), torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0]])
TOKENS = Tokens(*PROMPTS, *COMPLETIONS)


def test_a_dictionary_may_hold_more() -> None:
    batch = {**vars(TOKENS), "num_items_in_batch": 3}
    assert torch.equal(Tokens.of(batch).prompt_ids, TOKENS.prompt_ids)
    more = {name: torch.ones(2, 4) for name in ("old_logps", "old_values", "advantages", "returns")}
    rollout = Rollout.of({**batch, **more, "value_scale": torch.tensor(2.0)})
    assert isinstance(rollout, Tokens)
    assert rollout.value_scale == 2


def test_trimming_leaves_what_any_row_needs() -> None:
    trimmed = TOKENS.trimmed()
    assert trimmed.prompt_ids.tolist() == [[0, 5], [6, 7]]
    assert trimmed.prompt_mask.tolist() == [[0, 1], [1, 1]]
    assert trimmed.completion_ids.tolist() == [[1, 2], [3, 0]]
    assert trimmed.completion_mask.tolist() == [[1, 1], [1, 0]]


def test_a_batch_of_completions_that_are_left_out_keeps_a_column() -> None:
    nothing = Tokens(*PROMPTS, COMPLETIONS[0], torch.zeros(2, 4, dtype=torch.long))
    assert nothing.trimmed().completion_ids.shape == (2, 1)


def test_batches_are_rows() -> None:
    first, second = TOKENS.split(1)
    assert first.completion_ids.tolist() == [[1, 2, 0, 0]]
    assert second.prompt_mask.tolist() == [[0, 1, 1]]
