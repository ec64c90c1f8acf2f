"""Python text to read or to edit, in colours, and the window with the script of a flow."""
