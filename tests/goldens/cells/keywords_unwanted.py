# %% Keywords 'keywords'
def keywords(completions, **kwargs):
    """The share of the wanted words in a completion, minus that of the unwanted ones."""
    texts = [answer_of(completion) for completion in completions]
    return [
        share_of_words(text, ["a", 'it\'s "odd" \\ {x} %s \u2028 é 😀'], ignore_case=False) - share_of_words(text, ["b"], ignore_case=False)
        for text in texts
    ]
