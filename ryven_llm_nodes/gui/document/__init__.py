"""The project as a file: opening, saving, and what comes back after a crash."""
