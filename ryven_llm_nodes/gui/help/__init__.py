"""Help: pages of nodes, the sheet of shortcuts, and the search of commands."""
