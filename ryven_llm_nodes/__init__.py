"""Draw a post-training pipeline for a language model in Ryven, run it, and take the plain TRL script with you."""

__version__ = "0.1.0"
