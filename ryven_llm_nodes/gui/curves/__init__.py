"""The curves of a run: choice of metrics, downsampling, painting, and the dock with the plots."""
