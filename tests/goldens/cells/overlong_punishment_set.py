# %% Overlong Punishment 'overlong_punishment'
def overlong_punishment(completion_ids, **kwargs):
    """0 for a completion that ends in time, down to -1 for one that is too long."""
    return get_soft_overlong_punishment(max_completion_len=8, soft_punish_cache=4)(completion_ids=completion_ids)
