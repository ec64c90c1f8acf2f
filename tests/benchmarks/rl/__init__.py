"""A gym for RL methods: small tasks, the methods that learn them, and what is reported (`bench_rl.py` runs it)."""
