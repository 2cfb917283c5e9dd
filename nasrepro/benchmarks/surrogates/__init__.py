"""Models that stand for a benchmark where it has no table."""
