# %% Reward Function 'reward'
def reward(completions, **kwargs):
    """One number a completion: here, the share of the words of an answer that are different ones."""
    scores = []
    for completion in completions:
        answer = completion if isinstance(completion, str) else completion[0]["content"]
        words = answer.split()
        scores.append(len(set(words)) / max(len(words), 1))
    return scores
