"""What a sweep varies and what it optimizes: as written on the command line, or in a node of the flow."""
