# %% Reward Function 'mine'
def again(completions, **kwargs):
    return again.__name__ and [1.0 for _ in completions]
