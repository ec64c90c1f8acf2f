"""The curves of a run: which metrics, thinned how, painted, and the dock that holds the plots."""
