"""The bench dock: what a reward gives to completions."""
