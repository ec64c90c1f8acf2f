"""Flows that wait to be run one after the other."""
