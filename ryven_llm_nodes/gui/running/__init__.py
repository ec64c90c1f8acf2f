"""Runs in a worker thread, and the confirmation before untrusted code runs."""
