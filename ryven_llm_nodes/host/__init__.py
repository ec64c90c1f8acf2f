"""Everything that depends on Ryven's own ways: sessions, opening projects, and what has to be worked around."""
