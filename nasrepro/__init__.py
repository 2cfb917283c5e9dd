"""nasrepro: a reproducible study of generative and predictor-guided neural architecture search."""

__version__ = "0.1.0"
