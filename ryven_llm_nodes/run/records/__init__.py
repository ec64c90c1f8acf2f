"""The record that every run leaves of itself: written, read again, and compared."""
