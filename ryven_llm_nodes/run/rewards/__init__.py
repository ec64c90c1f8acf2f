"""Rewards during a run: tried before training, watched while they score, ended when they hang."""
