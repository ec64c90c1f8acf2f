"""Draw a post-training pipeline for a language model in Ryven, run it, and export it as a plain TRL script."""

__version__ = "0.1.0"
