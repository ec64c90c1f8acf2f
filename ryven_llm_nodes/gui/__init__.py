"""The editor: all that is seen and done in Ryven's window. Begins in ``editor.py``; never imported without a window."""
