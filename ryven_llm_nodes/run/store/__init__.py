"""The cache of stages in an output folder: their keys, and whether they can be reused."""
