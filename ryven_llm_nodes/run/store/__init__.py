"""What stages leave in an output folder: the key that says what it is, and whether it can be used again."""
