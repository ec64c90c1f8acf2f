"""The completions that a policy sampled during training, as a table to sort, search and read."""
