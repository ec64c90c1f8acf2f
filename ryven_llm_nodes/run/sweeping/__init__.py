"""Sweeps: runs of one flow with other values, chosen by Optuna, until the best ones are found."""
