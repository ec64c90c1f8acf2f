"""Self-contained training code that exported scripts carry along as a copy."""
