# %% Reward Function 'reward'
def reward(completions, **kwargs):
    """One number per completion: here, the fraction of distinct words in an answer."""
    scores = []
    for completion in completions:
        answer = completion if isinstance(completion, str) else completion[0]["content"]
        words = answer.split()
        scores.append(len(set(words)) / max(len(words), 1))
    return scores
