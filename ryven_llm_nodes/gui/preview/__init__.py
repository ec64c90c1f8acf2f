"""The rows of a dataset, and rows as a trainer will see them, before anything trains."""
