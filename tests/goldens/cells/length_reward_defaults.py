# %% Length Reward 'length_reward'
def length_reward(completions, **kwargs):
    """1 for a completion of 1 to 100 words, less for others."""
    lengths = [len(answer_of(completion).split()) for completion in completions]
    return [within(length, 1, 100) for length in lengths]
