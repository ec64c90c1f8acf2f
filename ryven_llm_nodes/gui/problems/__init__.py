"""The list of what was found in a flow."""
