# %% Keywords 'keywords'
def keywords(completions, **kwargs):
    """The share of the wanted words in a completion, minus that of the unwanted ones."""
    texts = [answer_of(completion) for completion in completions]
    return [-share_of_words(text, ["b"]) for text in texts]
