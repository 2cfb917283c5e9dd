"""The space of NAS-Bench-NLP."""
