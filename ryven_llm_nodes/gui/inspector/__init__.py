"""The inspector of a node: its form, its part of the script, and its problems."""
