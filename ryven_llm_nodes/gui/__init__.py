"""The editor's widgets. Qt lives here and in ``host`` only."""
