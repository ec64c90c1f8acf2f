"""Evaluations of any runs side by side: the table, what led to each model, and a page that shows both."""
