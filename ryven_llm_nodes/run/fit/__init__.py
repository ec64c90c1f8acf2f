"""Whether the stages of a program fit into the memory of a device: estimated from configurations, or measured."""
