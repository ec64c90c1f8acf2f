"""Threads that work so that no window waits, and the garbage collector, which stays out of them."""
