"""Chat with a model: a Hub id, or a folder that a stage has written."""
