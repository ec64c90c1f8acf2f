"""Executes a program step by step, stops it when asked to, and turns failures into one-line messages."""
