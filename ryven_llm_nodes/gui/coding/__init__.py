"""The code of a field in a window of its own: to edit it, and to try the reward that it defines."""
