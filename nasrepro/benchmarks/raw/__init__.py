"""Readers of the raw benchmark files."""
