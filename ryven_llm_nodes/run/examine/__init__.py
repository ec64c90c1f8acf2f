"""Checks models, rows, settings and this machine once the libraries are loaded, before anything trains."""
