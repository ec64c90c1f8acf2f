"""What commands print: display.py shows a run, each other file the result of a command."""
