"""The space of NAS-Bench-101."""
