"""The editor: everything in Ryven's window. Starts in ``editor.py``; never imported without a window."""
