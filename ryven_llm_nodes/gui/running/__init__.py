"""Runs in a worker thread, and the question that is asked before code of others runs."""
