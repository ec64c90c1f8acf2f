"""The launch settings of a flow."""
