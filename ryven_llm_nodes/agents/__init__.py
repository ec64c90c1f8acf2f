"""For coding agents: a server of the Model Context Protocol that builds, checks, runs and exports flows."""
