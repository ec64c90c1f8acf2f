"""Helpers for the operating system: atomic file writes, processes, the user's folders."""
