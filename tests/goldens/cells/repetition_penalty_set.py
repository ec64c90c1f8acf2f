# %% Repetition Penalty 'repetition_penalty'
def repetition_penalty(completion_ids, **kwargs):
    """The share of n-grams of tokens that are repeated, times the penalty."""
    return get_repetition_penalty_reward(ngram_size=2, max_penalty=-0.5)(completion_ids=completion_ids)
