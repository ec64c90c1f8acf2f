"""The chat window: one or two models, each in a process of its own."""
