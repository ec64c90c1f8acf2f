# %% Exact Match 'exact_match'
def exact_match(completions, **kwargs):
    """1 for a completion that gives the right answer, else 0."""
    answers = [answer_of(completion) for completion in completions]
    pairs = zip(answers, kwargs["answer"], strict=True)
    return [None if right is None else float(same_text(given, right)) for given, right in pairs]
