# %% Valid JSON 'valid_json'
def valid_json(completions, **kwargs):
    """1 for a completion that is such a JSON object, else 0."""
    values = [json_in(answer_of(completion)) for completion in completions]
    return [
        float(isinstance(value, dict) and all(key in value for key in ["name", 'it\'s "odd" \\ {x} %s \u2028 é 😀']))
        for value in values
    ]
