"""The main window: docks, toolbar, menus, the palette of nodes, and the shell that holds them together."""
