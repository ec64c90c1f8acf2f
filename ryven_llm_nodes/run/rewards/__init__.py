"""Rewards during a run: tested before training, observed while they score, interrupted when they hang."""
