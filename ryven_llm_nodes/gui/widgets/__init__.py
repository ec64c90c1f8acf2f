"""Widgets independent of flows and runs, and helpers that keep a widget from outliving its window."""
