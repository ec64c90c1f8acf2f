"""The parts of ``ryven-llm demo``: a small model, real data, rewards, held-out metrics, settings."""
