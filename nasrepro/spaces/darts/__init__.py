"""The space of DARTS and NAS-Bench-301."""
