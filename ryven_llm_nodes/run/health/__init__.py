"""The health of a training in words: what its metrics say that its user should know while there is time."""
