"""The inspector of a node: its form, its part of the script, and what was found wrong."""
