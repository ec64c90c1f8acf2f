"""The project as a file: opening, saving, and recovery after a crash."""
