"""The window Sweep: runs what a Sweep node describes, shows the trials, and writes the best values into the flow."""
