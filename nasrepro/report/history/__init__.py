"""Earlier generations of the records, from the git history."""
