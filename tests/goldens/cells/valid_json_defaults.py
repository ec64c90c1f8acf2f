# %% Valid JSON 'valid_json'
def valid_json(completions, **kwargs):
    """1 for a completion that is such a JSON object, else 0."""
    values = [json_in(answer_of(completion)) for completion in completions]
    return [float(isinstance(value, dict)) for value in values]
