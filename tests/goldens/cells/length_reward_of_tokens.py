# %% Length Reward 'length_reward'
def length_reward(completion_ids, **kwargs):
    """1 for a completion of 2 to 9 tokens, less for others."""
    lengths = [len(ids) for ids in completion_ids]
    return [within(length, 2, 9) for length in lengths]
