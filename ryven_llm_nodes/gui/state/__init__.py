"""What the editor knows of a flow and its runs, and the one way to change a node: no widget is in here."""
