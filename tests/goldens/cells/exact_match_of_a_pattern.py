# %% Exact Match 'right'
def right(completions, **kwargs):
    """1 for a completion that gives the right answer, else 0."""
    answers = [extracted(answer_of(completion), "answer is (\\d+)") for completion in completions]
    pairs = zip(answers, kwargs["the answer"], strict=True)
    return [
        None if right is None else float(same_text(given, right, ignore_case=True))
        for given, right in pairs
    ]
