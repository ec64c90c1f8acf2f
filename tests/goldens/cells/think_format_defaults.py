# %% Think Format 'think_format'
def think_format(completions, **kwargs):
    """1 for a completion that begins with <think>...</think>, else 0."""
    return think_format_reward([as_message(completion) for completion in completions])
