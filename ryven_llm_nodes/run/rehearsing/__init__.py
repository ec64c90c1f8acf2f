"""Rehearsals: all of a flow for a few steps on small models, and what the real run will take."""
