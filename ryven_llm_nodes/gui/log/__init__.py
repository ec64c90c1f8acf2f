"""The run log."""
