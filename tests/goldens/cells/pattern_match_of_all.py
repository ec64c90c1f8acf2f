# %% Pattern Match 'pattern_match'
def pattern_match(completions, **kwargs):
    """1 for a completion that matches the pattern, else 0."""
    texts = [answer_of(completion) for completion in completions]
    return [
        float(re.fullmatch('it\'s "odd" \\ {x} %s \u2028 é 😀', text, re.DOTALL | re.IGNORECASE) is not None)
        for text in texts
    ]
