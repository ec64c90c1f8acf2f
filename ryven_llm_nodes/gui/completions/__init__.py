"""The completions that a policy has sampled while it was trained, as a table to sort, search and read."""
