"""Self-contained training code that is copied into exported scripts."""
