"""The queue of flows: what waits, and what runs it."""
