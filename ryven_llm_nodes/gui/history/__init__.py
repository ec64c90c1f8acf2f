"""The run history: records of earlier runs, one or two side by side; and the cached stages."""
