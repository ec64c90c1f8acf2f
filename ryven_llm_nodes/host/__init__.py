"""Everything that depends on Ryven's internals: sessions, opening projects, and workarounds."""
