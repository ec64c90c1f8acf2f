"""Widgets that know nothing of flows or runs, and what keeps a widget from outliving its window."""
