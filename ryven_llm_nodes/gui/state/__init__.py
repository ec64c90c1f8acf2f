"""The state of a flow and its runs in the editor, and the single way to change a node; no widgets."""
