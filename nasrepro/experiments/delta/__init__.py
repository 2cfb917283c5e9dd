"""The experiments of Delta-NAS."""
