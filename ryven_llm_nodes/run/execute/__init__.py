"""Executes a program step by step, ends it when asked to, and turns what fails into a line for its user."""
