"""The run history: the record of every run is written, read, and compared."""
