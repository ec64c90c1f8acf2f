"""The canvas: the look of nodes, what they show of their run, their marks, and their layout."""
