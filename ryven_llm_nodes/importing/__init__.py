"""Flows made of what people bring: configurations of other programs, exported scripts, and data.

These modules draw flows with certain nodes, as templates do. They read text; nothing of a file is ever executed.
"""
