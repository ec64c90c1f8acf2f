# %% Reward Function 'is_it_short'
def is_it_short(completions, **kwargs):
    """The share of characters that differ."""
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    return [len(set(text)) / max(len(text), 1) for text in texts]
