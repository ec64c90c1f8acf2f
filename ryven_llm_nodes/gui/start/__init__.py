"""The start page: what was done last, templates, and flows from data and configurations."""
