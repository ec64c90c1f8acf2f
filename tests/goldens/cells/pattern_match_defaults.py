# %% Pattern Match 'pattern_match'
def pattern_match(completions, **kwargs):
    """1 for a completion that matches the pattern, else 0."""
    texts = [answer_of(completion) for completion in completions]
    return [
        float(re.search("\\\\boxed\\{.+\\}", text, re.DOTALL) is not None)
        for text in texts
    ]
